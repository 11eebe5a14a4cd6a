import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyCsv, tinyTraining } from "../testing/reviews.ts";
import { run } from "../testing/run.ts";

let scratch: string;
let model: string;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "heddle-profile-"));
  model = join(scratch, "model");
  const data = join(scratch, "reviews.csv");
  writeFileSync(data, tinyCsv);
  const { exitCode, err } = await run(["train", "--data", data, "--text", "text", "--label", "label", "--output", model, ...tinyTraining]);
  expect(exitCode, err).toBe(0);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const shape = ["--batch", "2", "--length", "6"] as const;

describe("heddle profile", () => {
  it("ends with each kernel's costs, the slowest first", async () => {
    const { exitCode, last, err } = await run(["profile", model, ...shape, "--json"]);
    expect(exitCode, err).toBe(0);
    expect(last).toMatchObject({ type: "result", model, architecture: "BertForSequenceClassification", batchSize: 2, length: 6 });
    const rows = last["rows"] as { label: string; calls: number; ms: number; share: number }[];
    expect(rows.map(({ ms }) => ms)).toEqual(rows.map(({ ms }) => ms).sort((a, b) => b - a));
    expect(rows.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(rows.some(({ label }) => label.startsWith("matmul"))).toBe(true);
    expect(last["dispatches"]).toBeGreaterThan(5);
  });

  it("shows people a table with totals, and what JavaScript takes", async () => {
    const { out } = await run(["profile", model, ...shape]);
    expect(out).toMatch(/BertForSequenceClassification, [\d.,]+ M parameters · 2 × 6 tokens/);
    expect(out).toMatch(/^kernel +calls +time +share +GFLOP\/s +GB\/s +of the ceiling$/m);
    expect(out).toMatch(/^matmul\S* +\d+ +[\d.]+ ms +[\d.]+ % +[\d.]+ +[\d.]+ +[\d.]+ %$/m);
    expect(out).toMatch(/^all +\d+ +[\d.]+ ms /m);
    expect(out).toMatch(/\d+ dispatches, which JavaScript queues in [\d.]+ ms: [\d.]+ µs each/);
    expect(out).toMatch(/ceilings measured now: [\d.]+ GFLOP\/s/);
    for (const line of out.split("\n")) expect(line).toBe(line.trimEnd());
  });

  it("writes a time line that Chrome opens", async () => {
    const trace = join(scratch, "trace.json");
    const { exitCode, out, err } = await run(["profile", model, ...shape, "--trace", trace]);
    expect(exitCode, err).toBe(0);
    expect(out).toContain(`${trace}: open it in chrome://tracing or https://ui.perfetto.dev`);
    const { traceEvents } = JSON.parse(readFileSync(trace, "utf8")) as { traceEvents: { name: string; ph: string; ts: number; dur: number }[] };
    const kernels = traceEvents.filter(({ ph }) => ph === "X").slice(1);
    expect(kernels.length).toBeGreaterThan(5);
    for (const { name, ts, dur } of kernels) expect([ts, dur].every((time) => Number.isFinite(time) && time >= 0), name).toBe(true);
  });

  it("stops at Ctrl-C", async () => {
    const { exitCode, last } = await run(["profile", model, "--json"], { signal: AbortSignal.timeout(1) });
    expect([exitCode, last["type"]]).toEqual([130, "interrupted"]);
  });
});

describe("a profile that cannot be", () => {
  it.each<[string, () => string[], number, string, RegExp]>([
    ["a model that is absent", () => [join(scratch, "absent")], 1, "MODEL_FOLDER_NOT_FOUND", /pass the path of a folder/],
    ["a length without positions", () => [model, "--length", "100000"], 2, "INVALID_ARGUMENT", /has \d+ positions, fewer than a length of 100000: give at most \d+/],
    ["a device without kernels", () => [model, "--device", "reference"], 2, "INVALID_ARGUMENT", /without kernels to time; choose webgpu.*--device webgpu/],
    ["a trace that cannot be written", () => [model, "--trace", join(scratch, "absent", "trace.json")], 1, "FOLDER_NOT_WRITABLE", /give --trace a file in a folder that exists/],
  ])("for %s says so", async (_what, args, wanted, code, message) => {
    const { exitCode, last, err } = await run(["profile", "--json", ...args()]);
    expect([exitCode, last["type"], last["code"]], err).toEqual([wanted, "error", code]);
    expect(last["message"]).toMatch(message);
  });

  it.each<[string, string[], RegExp]>([
    ["no model", [], /missing required argument 'model'/],
    ["no batch", ["m", "--batch", "0"], /Give a whole number of at least 1/],
  ])("for %s ends with exit code 2", async (_what, args, message) => {
    const { exitCode, err } = await run(["profile", ...args]);
    expect(err).toMatch(message);
    expect(exitCode).toBe(2);
  });
});
