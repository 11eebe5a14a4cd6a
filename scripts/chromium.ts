import { join } from "node:path";
import { chromium, type Browser, type Page } from "playwright";
import { findChromium } from "./find-chromium.mjs";

// What the apps' page tests share.

const WEBGPU = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader"];

/** A Chromium with WebGPU in software, or with none. */
export function launch({ webgpu = true } = {}): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium()!, args: ["--headless=new", "--no-sandbox", ...(webgpu ? WEBGPU : [])] });
}

/** Kept where HEDDLE_SCREENSHOTS names a folder. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env["HEDDLE_SCREENSHOTS"];
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
