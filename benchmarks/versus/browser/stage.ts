import { peersInBrowser } from "../peers.ts";
import type { SideSpec, Stage } from "../stage.ts";
import { Browser } from "./browser.ts";
import { PageSide } from "./side.ts";

/** Pages of one headless Chromium. */
export class BrowserStage implements Stage {
  readonly peers = peersInBrowser;

  private constructor(private readonly browser: Browser) {}

  /** @throws PACKAGE_MISSING without a Chromium, NO_ADAPTER where it has none */
  static async open(folder: string): Promise<BrowserStage> {
    return new BrowserStage(await Browser.open(folder));
  }

  get adapter(): string {
    return this.browser.adapter;
  }

  get software(): boolean {
    return this.browser.software;
  }

  open<Shape>(spec: SideSpec): Promise<PageSide<Shape>> {
    return PageSide.open<Shape>({ ...spec, model: this.browser.addressOf(spec.model), onnx: this.browser.addressOf(spec.onnx) }, this.browser);
  }

  close(): Promise<void> {
    return this.browser.close();
  }
}
