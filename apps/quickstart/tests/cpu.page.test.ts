import { createReadStream, existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { screenshot } from "../../../scripts/chromium.ts";
import { openPage, root, scoresFor, train, useSite } from "./browser.ts";

const site = useSite({ webgpu: false });

describe("the quickstart page on the CPU", () => {
  it("trains on a dropped table in a browser without WebGPU, and says where it runs", async () => {
    const page = await openPage(site.browser, site.url);
    expect(await page.textContent("#device")).toMatch(/^Running on CPU by onnxruntime-web, \d threads?, as WebGPU finds no GPU in this browser\.$/);
    await train(page, site.csv, { epochs: 2 });
    await expect.poll(() => page.textContent("#phase"), { timeout: 200_000 }).toContain("Trained on 80 rows");
    const scores = await scoresFor(page, "Lovely, works perfectly.");
    expect([...scores.keys()].sort()).toEqual(["negative", "positive"]);
    expect([...scores.values()].reduce((a, b) => a + b)).toBeCloseTo(1, 4);
    await screenshot(page, "quickstart-cpu");
  });

  it("stops when asked to, though the CPU is at work", async () => {
    const page = await openPage(site.browser, `${site.url}?device=cpu`);
    expect(await page.textContent("#device")).toMatch(/^Running on CPU by onnxruntime-web, \d threads?\.$/);
    await train(page, site.csv, { epochs: 50 });
    await expect.poll(() => page.textContent("#phase"), { timeout: 60_000 }).toContain("Step ");
    await page.click("#stop");
    await page.waitForSelector("#error:not([hidden])", { timeout: 30_000 });
    expect(await page.textContent("#error")).toMatch(/stop|abort/i);
  });

  it("says that ?device=webgpu has no adapter, and that there is no such device", async () => {
    for (const [device, message] of [["webgpu", /no WebGPU adapter found/], ["gpu", /no device is called "gpu"/]] as const) {
      const page = await site.browser.newPage();
      await page.goto(`${site.url}?device=${device}`);
      await page.waitForSelector("#error:not([hidden])");
      expect(await page.textContent("#error")).toMatch(message);
    }
  });
});

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".csv": "text/csv" };

/** The plainest of servers: files below a sub-path, no headers of its own. */
async function serve(files: string): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const path = join(files, new URL(request.url!, "http://localhost").pathname.replace(/^\/demo/, "").replace(/\/$/, "/index.html"));
    if (!existsSync(path)) return void response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream" });
    createReadStream(path).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/demo/` };
}

describe("the built page", () => {
  let plain: { server: Server; url: string };
  beforeAll(async () => {
    const outDir = join(site.folder, "built");
    await build({ root, configFile: join(root, "vite.config.ts"), logLevel: "error", build: { outDir } });
    plain = await serve(outDir);
  });
  afterAll(() => plain?.server.close());

  it("trains on the CPU from a plain server, with nothing fetched from elsewhere", async () => {
    const context = await site.browser.newContext();
    const requests: string[] = [];
    context.on("request", (request) => requests.push(request.url()));
    const page = await context.newPage();
    await page.goto(`${plain.url}?device=cpu`);
    await expect.poll(() => page.textContent("#device"), { timeout: 60_000 }).toBe("Running on CPU by onnxruntime-web, 1 thread.");
    await train(page, site.csv, { epochs: 1 });
    await expect.poll(() => page.textContent("#phase"), { timeout: 200_000 }).toContain("Trained on 80 rows");
    await context.close();
    expect(requests.filter((request) => request.endsWith(".wasm"))).toHaveLength(1);
    expect(requests.filter((request) => !request.startsWith(plain.url) && !request.startsWith("data:") && !request.startsWith("blob:"))).toEqual([]);
  });

  it.each([
    ["script", "**/ort*.js", /onnxruntime-web did not load .*check the connection/],
    ["WebAssembly", "**/*.wasm", /onnxruntime-web could not start.*ort-wasm-simd-threaded\.wasm must lie beside its script/],
  ])("says that onnxruntime's %s did not arrive", async (_, files, message) => {
    const context = await site.browser.newContext();
    await context.route(files, (route) => route.abort());
    const page = await context.newPage();
    await page.goto(`${plain.url}?device=cpu`);
    await train(page, site.csv, { epochs: 1 });
    await page.waitForSelector("#error:not([hidden])", { timeout: 60_000 });
    expect(await page.textContent("#error")).toMatch(message);
    await context.close();
  });
});
