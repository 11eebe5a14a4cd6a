import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright";
import { createServer, type ViteDevServer } from "vite";
import { afterAll, beforeAll, expect } from "vitest";
import { launch } from "../../../scripts/chromium.ts";

export const root = join(import.meta.dirname, "..");

/** Sources that change while a page is tested do not reload it. */
async function developmentServer(): Promise<ViteDevServer> {
  const server = await createServer({ root, configFile: join(root, "vite.config.ts"), logLevel: "error", server: { port: 0, hmr: false, watch: null } });
  return server.listen();
}

/** What the pages of one test file stand on. */
export interface Site {
  readonly url: string;
  readonly browser: Browser;
  /** Goes when the tests are done. */
  readonly folder: string;
  /** A table of the example's first 80 rows, in that folder. */
  readonly csv: string;
}

/** The page's development server, a browser and a table, from before the first test of a file until after its last. */
export function useSite({ webgpu }: { webgpu: boolean }): Site {
  let [url, folder, csv]: string[] = [];
  let server: ViteDevServer | undefined;
  let browser: Browser | undefined;
  beforeAll(async () => {
    folder = await temporaryFolder();
    csv = await firstReviews(80, folder);
    server = await developmentServer();
    url = server.resolvedUrls!.local[0]!;
    browser = await launch({ webgpu });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await rm(folder!, { recursive: true, force: true });
  });
  return {
    get url() {
      return url!;
    },
    get browser() {
      return browser!;
    },
    get folder() {
      return folder!;
    },
    get csv() {
      return csv!;
    },
  };
}

export const temporaryFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "heddle-quickstart-"));

/** A table of the example's first rows. */
async function firstReviews(numRows: number, folder: string): Promise<string> {
  const lines = (await readFile(join(root, "../../examples/data/reviews.csv"), "utf8")).split("\n");
  const csv = join(folder, "rows.csv");
  await writeFile(csv, lines.slice(0, numRows + 1).join("\n"));
  return csv;
}

/** The page at `url`, with its device open. */
export async function openPage(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 900, height: 1000 } });
  await page.goto(url);
  await expect.poll(() => page.textContent("#device"), { timeout: 60_000 }).toContain("Running on");
  return page;
}

/** Drops a table on the page and starts to train; resolves when the curve is there. */
export async function train(page: Page, csv: string, { epochs }: { epochs: number }): Promise<void> {
  await page.setInputFiles("#table", csv);
  await page.waitForSelector("#columns:not([hidden])");
  await page.fill("#epochs", String(epochs));
  await page.click("#columns button");
  await page.waitForSelector("#curve canvas");
}

/** What the page answers to `text`: scores by label. */
export async function scoresFor(page: Page, text: string): Promise<Map<string, number>> {
  await page.fill("#text", text);
  await page.waitForSelector("#answer li", { timeout: 60_000 });
  const items = await page.$$eval("#answer li", (nodes) => nodes.map((node) => [node.dataset["label"]!, Number(node.dataset["score"])] as const));
  return new Map(items);
}
