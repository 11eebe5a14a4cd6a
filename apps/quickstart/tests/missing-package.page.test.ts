import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright";
import { build, createServer, preview } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../../scripts/chromium.ts";
import { root, temporaryFolder } from "./browser.ts";

const kernels = join(root, "../../packages/kernels");
let folder: string;
let browser: Browser;

/** A page of somebody's own with @heddle/kernels and without onnxruntime-web, and no settings that would help. */
beforeAll(async () => {
  folder = await temporaryFolder();
  const installed = join(folder, "node_modules");
  await mkdir(join(installed, "@heddle/kernels"), { recursive: true });
  for (const part of ["src", "package.json"]) await cp(join(kernels, part), join(installed, "@heddle/kernels", part), { recursive: true });
  await cp(join(kernels, "node_modules/@bufbuild"), join(installed, "@bufbuild"), { recursive: true, dereference: true });
  await writeFile(join(folder, "index.html"), `<pre id="told"></pre><script type="module" src="/main.ts"></script>`);
  await writeFile(
    join(folder, "main.ts"),
    `import { openDevice } from "@heddle/kernels";
     openDevice({ device: "cpu" }).catch(({ code, message }) => (document.getElementById("told")!.textContent = code + ": " + message));`,
  );
  browser = await launch({ webgpu: false });
});

afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

const config = () => ({ root: folder, configFile: false as const, logLevel: "error" as const, resolve: { conditions: ["@heddle/source", "module", "browser", "development|production"] } });

async function told(url: string): Promise<string | null> {
  const page = await browser.newPage();
  await page.goto(url);
  await page.waitForFunction(() => document.getElementById("told")!.textContent !== "", null, { timeout: 30_000 });
  return page.textContent("#told");
}

const MESSAGE = "PACKAGE_MISSING: [cpu] the package onnxruntime-web is not installed; add it with: npm install onnxruntime-web";

describe("a page whose maker has not installed onnxruntime-web", () => {
  it("hears so from Vite's development server", async () => {
    const server = await createServer({ ...config(), server: { port: 0, hmr: false, watch: null } });
    await server.listen();
    expect(await told(server.resolvedUrls!.local[0]!)).toBe(MESSAGE);
    await server.close();
  });

  it("hears so once built", async () => {
    await build(config());
    const server = await preview({ ...config(), preview: { port: 0 } });
    expect(await told(server.resolvedUrls!.local[0]!)).toBe(MESSAGE);
    await server.close();
  });
});
