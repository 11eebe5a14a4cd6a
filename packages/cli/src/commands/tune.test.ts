import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { tinyCsv, tinyTraining } from "../testing/reviews.ts";
import { run } from "../testing/run.ts";

let scratch: string;
let model: string;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "heddle-tune-"));
  // Mesa keeps its compiled shaders there too: it shall find them.
  vi.stubEnv("MESA_SHADER_CACHE_DIR", process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"));
  vi.stubEnv("XDG_CACHE_HOME", scratch);
  model = join(scratch, "model");
  const data = join(scratch, "reviews.csv");
  writeFileSync(data, tinyCsv);
  const { exitCode, err } = await run(["train", "--data", data, "--text", "text", "--label", "label", "--output", model, ...tinyTraining]);
  expect(exitCode, err).toBe(0);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true, force: true });
});

const shape = ["--batch", "2", "--length", "6"] as const;

describe("heddle tune", () => {
  it("ends with what was measured, by bucket", async () => {
    const { exitCode, last, err } = await run(["tune", model, ...shape, "--budget", "5", "--json"]);
    expect(exitCode, err).toBe(0);
    expect(last).toMatchObject({ type: "result", model, architecture: "BertForSequenceClassification", batchSize: 2, length: 6 });
    const results = last["results"] as { bucket: string; winner: string; candidates: { design: string }[] }[];
    const skipped = last["skipped"] as { bucket: string }[];
    expect(results.length + skipped.length).toBeGreaterThan(0);
    for (const { bucket, winner, candidates } of results) expect(candidates.map(({ design }) => design), bucket).toContain(winner);
  });

  it("shows people a table, or why there is none", async () => {
    const { exitCode, out, err } = await run(["tune", model, ...shape, "--budget", "0.001"]);
    expect(exitCode, err).toBe(0);
    expect(out).toMatch(/BertForSequenceClassification, [\d.,]+ M parameters · 2 × 6 tokens/);
    expect(out).toMatch(/nothing new to measure|was not measured: the budget of 1 ms was spent/);
    for (const line of out.split("\n")) expect(line).toBe(line.trimEnd());
  });

  it("stops at Ctrl-C", async () => {
    const { exitCode, last } = await run(["tune", model, "--json"], { signal: AbortSignal.timeout(1) });
    expect([exitCode, last["type"]]).toEqual([130, "interrupted"]);
  });

  it("says so where a device has no kernels, and for a budget that is none", async () => {
    const { exitCode, last } = await run(["tune", model, "--device", "reference", "--json"]);
    expect([exitCode, last["code"]]).toEqual([2, "INVALID_ARGUMENT"]);
    expect((await run(["tune", model, "--budget", "0"])).exitCode).toBe(2);
  });
});
