import { join } from "node:path";
import { HeddleError } from "@heddle/kernels";
import { chromium, type Browser as Chromium, type Page } from "playwright";
import { createServer, type ViteDevServer } from "vite";
import { findChromium } from "../../../scripts/find-chromium.mjs";

const root = join(import.meta.dirname, "../../..");

/** Software WebGPU unless HEDDLE_ADAPTER asks for a GPU. */
const FLAGS = ["--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--enable-features=Vulkan"];
const SOFTWARE = "--use-webgpu-adapter=swiftshader";

/** A headless Chromium, and a server of the pages that the sides of a comparison run in. */
export class Browser {
  private constructor(
    private readonly server: ViteDevServer,
    private readonly chromium: Chromium,
    private readonly address: string,
    /** With the browser that it is seen through. */
    readonly adapter: string,
    readonly software: boolean,
  ) {}

  /**
   * @param folder the pages may read it
   * @throws PACKAGE_MISSING without a Chromium, NO_ADAPTER where it has none
   */
  static async open(folder: string): Promise<Browser> {
    const executablePath = findChromium();
    if (!executablePath) throw new HeddleError("PACKAGE_MISSING", "[bench:versus] found no Chromium: install one (Debian: apt-get install chromium) or set CHROMIUM_PATH");
    const server = await serve(folder);
    const software = process.env["HEDDLE_ADAPTER"] !== "gpu";
    const browser = await chromium.launch({ executablePath, args: software ? [...FLAGS, SOFTWARE] : FLAGS });
    const address = server.resolvedUrls!.local[0]!;
    const adapter = await adapterIn(browser, address);
    if (adapter !== null) return new Browser(server, browser, address, `${adapter} (Chromium ${browser.version()})`, software || /swiftshader|llvmpipe|software/i.test(adapter));
    await browser.close();
    await server.close();
    throw new HeddleError("NO_ADAPTER", "[bench:versus] Chromium has no WebGPU adapter; unset HEDDLE_ADAPTER for its software one");
  }

  /** A page that has loaded page.ts; its errors go to stderr. */
  async page(): Promise<Page> {
    const page = await this.chromium.newPage();
    page.setDefaultTimeout(0);
    page.on("pageerror", ({ message }) => console.error(message));
    await page.goto(this.address);
    await page.waitForFunction(() => "versus" in globalThis);
    return page;
  }

  /** Where pages find a file of this machine. */
  addressOf(path: string): string {
    return `${this.address}@fs${path}`;
  }

  async close(): Promise<void> {
    await this.chromium.close();
    await this.server.close();
  }
}

async function serve(folder: string): Promise<ViteDevServer> {
  const server = await createServer({
    configFile: false,
    root: import.meta.dirname,
    cacheDir: join(root, "node_modules/.vite/bench-versus"),
    logLevel: "error",
    // An absent file is a 404, not the page.
    appType: "mpa",
    resolve: {
      conditions: ["@heddle/source", "module", "browser", "development|production"],
      // transformers.js takes ours: the workspace leaves it without its own onnxruntime-web.
      dedupe: ["onnxruntime-web", "onnxruntime-common"],
    },
    // Bundled for development, onnxruntime-web would not find its .wasm file. TensorFlow.js comes in a thousand files.
    optimizeDeps: { noDiscovery: true, include: ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-webgpu"], exclude: ["onnxruntime-web"] },
    server: {
      port: 0,
      host: "127.0.0.1",
      fs: { allow: [root, folder] },
      // Browsers give threads to cross-origin isolated pages only.
      headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
    },
  });
  return server.listen();
}

async function adapterIn(browser: Chromium, address: string): Promise<string | null> {
  const page = await browser.newPage();
  await page.goto(address);
  const name = await page.evaluate(async () => {
    const info = (await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }))?.info;
    return info ? info.description || info.device || `${info.vendor} ${info.architecture}` : null;
  });
  await page.close();
  return name;
}
