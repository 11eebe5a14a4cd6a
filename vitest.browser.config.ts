import { join } from "node:path";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { findChromium } from "./scripts/find-chromium.mjs";

const executablePath = findChromium();
if (!executablePath) throw new Error("No Chromium found. Install one (Debian: apt-get install chromium) or set CHROMIUM_PATH.");

const reportFolder = process.env["HEDDLE_TEST_REPORTS"];
const shared = process.env["HEDDLE_SHARED"] ?? join(import.meta.dirname, "../shared");

/** `*.browser.test.ts` of every package, in a real Chromium with software WebGPU. */
export default defineConfig({
  resolve: { conditions: ["@heddle/source", "module", "browser", "development|production"] },
  // Dependencies found in the middle of a run would reload the page; all of ours are plain ES modules.
  optimizeDeps: { noDiscovery: true },
  server: {
    fs: { allow: [import.meta.dirname, shared] },
    // Browsers give threads, which onnxruntime-web can use, to cross-origin isolated pages only.
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
  },
  test: {
    name: "browser",
    include: ["packages/*/src/**/*.browser.test.ts", "apps/*/src/**/*.browser.test.ts"],
    fileParallelism: false,
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    passWithNoTests: true,
    reporters: reportFolder ? ["default", ["json", { outputFile: join(reportFolder, "browser.json") }]] : ["default"],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: {
          executablePath,
          args: [
            "--headless=new",
            "--no-sandbox",
            "--enable-unsafe-webgpu",
            "--enable-features=Vulkan",
            "--use-webgpu-adapter=swiftshader",
          ],
        },
      }),
      instances: [{ browser: "chromium" }],
    },
  },
});
