import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { labelledTexts, openDevice, readTable, TextClassifier } from "@heddle/tasks";
import type { Page } from "playwright";
import { beforeEach, describe, expect, it } from "vitest";
import { screenshot } from "../../../scripts/chromium.ts";
import { openPage, scoresFor, train, useSite } from "./browser.ts";

const site = useSite({ webgpu: true });
let page: Page;

beforeEach(async () => {
  page = await openPage(site.browser, `${site.url}?device=webgpu`);
});

describe("the quickstart page", () => {
  it("trains on a dropped table with a live curve, stays responsive, and answers", async () => {
    expect(await page.textContent("#device")).toBe("Running on google swiftshader.");
    await train(page, site.csv, { epochs: 2 });
    expect(await page.textContent("#table-summary")).toContain("rows.csv: 80 rows");
    // The worker trains; the page answers to the mouse within a frame or two.
    const turnMs = await page.evaluate(async () => {
      const start = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 0));
      return performance.now() - start;
    });
    expect(turnMs).toBeLessThan(1000);
    await expect.poll(() => page.textContent("#phase"), { timeout: 200_000 }).toContain("Trained on 80 rows");
    const scores = await scoresFor(page, "Lovely, works perfectly.");
    expect([...scores.keys()].sort()).toEqual(["negative", "positive"]);
    expect([...scores.values()].reduce((a, b) => a + b)).toBeCloseTo(1, 4);
    await screenshot(page, "quickstart-trained");
  });

  it("opens a saved folder and gives the same logits as Node", async () => {
    const device = await openDevice({ device: "webgpu" });
    const table = await readTable(await readFile(site.csv, "utf8"), { name: site.csv });
    const classifier = await TextClassifier.fit(labelledTexts(table, { text: "text", label: "label" }).rows, { device, trainingArguments: { numTrainEpochs: 1 } });
    const saved = join(site.folder, "model");
    await classifier.savePretrained(saved);
    const text = "Great, another charger that works for a week.";
    const wanted = new Map((await classifier.classify([text], { topK: null }))[0]!.map(({ label, score }) => [label, score]));
    classifier.dispose();
    device.dispose();

    await page.setInputFiles("#folder", saved);
    await expect.poll(() => page.textContent("#phase"), { timeout: 60_000 }).toContain("Loaded. Labels: negative, positive");
    const scores = await scoresFor(page, text);
    // Softmax keeps differences of logits as differences of logarithms.
    const logit = (from: Map<string, number>) => Math.log(from.get("positive")!) - Math.log(from.get("negative")!);
    expect(Math.abs(logit(scores) - logit(wanted))).toBeLessThan(1e-4);
    await screenshot(page, "quickstart-loaded");
  });

  it("says what is wrong with a file that is no table", async () => {
    const empty = join(site.folder, "empty.csv");
    await writeFile(empty, "");
    await page.setInputFiles("#table", empty);
    await page.waitForSelector("#error:not([hidden])");
    expect(await page.textContent("#error")).toMatch(/empty/i);
  });
});
