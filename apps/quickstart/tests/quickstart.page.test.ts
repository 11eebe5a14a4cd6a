import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { labelledTexts, openDevice, readTable, TextClassifier } from "@heddle/tasks";
import { chromium, type Browser, type Page } from "playwright";
import { createServer, type ViteDevServer } from "vite";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { findChromium } from "../../../scripts/find-chromium.mjs";

const root = join(import.meta.dirname, "..");
const screenshots = process.env["HEDDLE_SCREENSHOTS"];

let server: ViteDevServer;
let browser: Browser;
let page: Page;
let folder: string;
let csv: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-quickstart-"));
  csv = join(folder, "rows.csv");
  const lines = (await readFile(join(root, "../../examples/data/reviews.csv"), "utf8")).split("\n");
  await writeFile(csv, lines.slice(0, 81).join("\n"));
  server = await createServer({ root, configFile: join(root, "vite.config.ts"), logLevel: "error", server: { port: 0 } });
  await server.listen();
  browser = await chromium.launch({
    executablePath: findChromium()!,
    args: ["--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader"],
  });
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  page = await browser.newPage({ viewport: { width: 900, height: 1000 } });
  await page.goto(server.resolvedUrls!.local[0]!);
  await expect.poll(() => page.textContent("#device"), { timeout: 60_000 }).toContain("Running on");
});

async function scoresFor(text: string): Promise<Map<string, number>> {
  await page.fill("#text", text);
  await page.waitForSelector("#answer li", { timeout: 60_000 });
  const items = await page.$$eval("#answer li", (nodes) => nodes.map((node) => [node.dataset["label"]!, Number(node.dataset["score"])] as const));
  return new Map(items);
}

describe("the quickstart page", () => {
  it("trains on a dropped table with a live curve, stays responsive, and answers", async () => {
    await page.setInputFiles("#table", csv);
    await page.waitForSelector("#columns:not([hidden])");
    expect(await page.textContent("#table-summary")).toContain("rows.csv: 80 rows");
    await page.fill("#epochs", "2");
    await page.click("#columns button");
    await page.waitForSelector("#curve canvas");
    // The worker trains; the page answers to the mouse within a frame or two.
    const turnMs = await page.evaluate(async () => {
      const start = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 0));
      return performance.now() - start;
    });
    expect(turnMs).toBeLessThan(1000);
    await expect.poll(() => page.textContent("#phase"), { timeout: 200_000 }).toContain("Trained on 80 rows");
    const scores = await scoresFor("Lovely, works perfectly.");
    expect([...scores.keys()].sort()).toEqual(["negative", "positive"]);
    expect([...scores.values()].reduce((a, b) => a + b)).toBeCloseTo(1, 4);
    if (screenshots) await page.screenshot({ path: join(screenshots, "quickstart-trained.png"), fullPage: true });
  });

  it("opens a saved folder and gives the same logits as Node", async () => {
    const device = await openDevice({ device: "webgpu" });
    const table = await readTable(await readFile(csv, "utf8"), { name: csv });
    const classifier = await TextClassifier.fit(labelledTexts(table, { text: "text", label: "label" }).rows, { device, trainingArguments: { numTrainEpochs: 1 } });
    const saved = join(folder, "model");
    await classifier.savePretrained(saved);
    const text = "Great, another charger that works for a week.";
    const wanted = new Map((await classifier.classify([text], { topK: null }))[0]!.map(({ label, score }) => [label, score]));
    classifier.dispose();
    device.dispose();

    await page.setInputFiles("#folder", saved);
    await expect.poll(() => page.textContent("#phase"), { timeout: 60_000 }).toContain("Loaded. Labels: negative, positive");
    const scores = await scoresFor(text);
    // Softmax keeps differences of logits as differences of logarithms.
    const logit = (from: Map<string, number>) => Math.log(from.get("positive")!) - Math.log(from.get("negative")!);
    expect(Math.abs(logit(scores) - logit(wanted))).toBeLessThan(1e-4);
    if (screenshots) await page.screenshot({ path: join(screenshots, "quickstart-loaded.png"), fullPage: true });
  });

  it("says what is wrong with a file that is no table", async () => {
    const empty = join(folder, "empty.csv");
    await writeFile(empty, "");
    await page.setInputFiles("#table", empty);
    await page.waitForSelector("#error:not([hidden])");
    expect(await page.textContent("#error")).toMatch(/empty/i);
  });
});
