import type { Page } from "playwright";
import type { Side } from "../compare.ts";
import type { Repetition } from "../turns.ts";
import type { Browser } from "./browser.ts";
import type { SideSpec } from "../stage.ts";
import type { PageApi } from "./page.ts";

declare const versus: PageApi;

/** A side in a page of its own. */
export class PageSide<Shape> implements Side<Shape> {
  private constructor(
    readonly name: string,
    private readonly page: Page,
  ) {}

  static async open<Shape>(spec: SideSpec, browser: Browser): Promise<PageSide<Shape>> {
    const page = await browser.page();
    await page.evaluate((told) => versus.open(told), spec);
    return new PageSide(spec.name, page);
  }

  async prepare(shape: Shape): Promise<Float32Array> {
    const base64 = await this.page.evaluate((wanted) => versus.prepare(wanted), shape as unknown);
    const bytes = Buffer.from(base64, "base64");
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  }

  repeat(): Promise<Repetition> {
    return this.page.evaluate(() => versus.repeat());
  }

  close(): Promise<void> {
    return this.page.close();
  }
}
