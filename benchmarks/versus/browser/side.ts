import { HeddleError } from "@heddle/kernels";
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

  /** Throws RUNTIME_FAILED with what the page said, as do the others. */
  static async open<Shape>(spec: SideSpec, browser: Browser): Promise<PageSide<Shape>> {
    const side = new PageSide<Shape>(spec.name, await browser.page());
    await side.told(side.page.evaluate((wanted) => versus.open(wanted), spec));
    return side;
  }

  async prepare(shape: Shape): Promise<Float32Array> {
    const base64 = await this.told(this.page.evaluate((wanted) => versus.prepare(wanted), shape as unknown));
    const bytes = Buffer.from(base64, "base64");
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  }

  repeat(): Promise<Repetition> {
    return this.told(this.page.evaluate(() => versus.repeat()));
  }

  close(): Promise<void> {
    return this.page.close();
  }

  private told<T>(answer: Promise<T>): Promise<T> {
    return answer.catch((cause: Error) => {
      throw new HeddleError("RUNTIME_FAILED", `[${this.name}] ${cause.message}`, { cause });
    });
  }
}
