import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TextClassifier } from "@heddle/tasks";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { run } from "../testing/run.ts";
import { findReviews, holdOutFifth, SAMPLE_TEXTS } from "./demo-data.ts";

// The whole training takes minutes: here it is one step on a few rows.
vi.mock("./demo-training.ts", () => ({
  fitInTime: (device: never, rows: never[]) => TextClassifier.fit(rows.slice(0, 24), { device, maxLength: 8, trainingArguments: { maxSteps: 1, perDeviceTrainBatchSize: 4 } }),
}));

let scratch: string;
beforeAll(() => void (scratch = mkdtempSync(join(tmpdir(), "heddle-demo-"))));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("heddle demo", () => {
  it("compares honestly, classifies samples, saves the model and says what to do next", async () => {
    const output = join(scratch, "model");
    const { exitCode, out, err } = await run(["demo", "--device", "reference", "--output", output]);
    expect(exitCode, err).toBe(0);
    expect(err).toContain("1,058 reviews");
    expect(out).toMatch(/most frequent label, always +50\.\d % +33\.\d %/);
    expect(out).toMatch(/TF-IDF wins by [\d.]+ points; on 21\d reviews chance alone moves a score by about ±7 points/);
    expect(out).toContain("The Transformer has hardly learned anything yet");
    expect(out).toContain("--model FOLDER fine-tunes one");
    for (const text of SAMPLE_TEXTS) expect(out).toContain([...text].slice(0, 20).join(""));
    expect(out).toContain(`predict --model ${output}`);
    expect(readdirSync(output)).toContain("model.safetensors");
  });

  it("classifies what the user typed, and ends with the result in JSON", async () => {
    const { exitCode, lines, last } = await run(["demo", "--device", "reference", "--output", join(scratch, "other"), "--json", "Loved it"]);
    expect(exitCode).toBe(0);
    expect(lines.filter(({ type }) => type === "prediction")).toEqual([expect.objectContaining({ text: "Loved it", label: expect.stringMatching(/positive|negative/) })]);
    expect(last).toMatchObject({ type: "result", accuracy: expect.any(Number), f1Macro: expect.any(Number), tfidfAccuracy: expect.any(Number), majorityAccuracy: expect.any(Number) });
  });
});

describe("the demo's data", () => {
  it("is found above a folder, and its absence has a way out", () => {
    const inside = join(scratch, "repository", "packages", "cli");
    mkdirSync(inside, { recursive: true });
    expect(() => findReviews([inside])).toThrow(expect.objectContaining({ code: "FILE_UNREADABLE", message: expect.stringContaining("npm run demo") }));
    const data = join(scratch, "repository", "examples", "data");
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, "reviews.csv"), "");
    expect(findReviews([inside])).toBe(join(data, "reviews.csv"));
  });

  it("holds out every fifth row of each label", () => {
    const rows = Array.from({ length: 20 }, (_, i) => ({ label: i % 2 === 0 ? "a" : "b", i }));
    const { trainRows, testRows } = holdOutFifth(rows);
    expect(testRows.map(({ i }) => i)).toEqual([8, 9, 18, 19]);
    expect(trainRows).toHaveLength(16);
  });
});
