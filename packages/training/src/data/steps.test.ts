import { describe, expect, it } from "vitest";
import { resolveTrainingArguments } from "../arguments.ts";
import { runExtent, stepsFrom } from "./steps.ts";

const lengths = Array.from({ length: 21 }, (_, i) => 3 + (i % 5));
const args = resolveTrainingArguments({ perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2, numTrainEpochs: 2.5, warmupRatio: 0.2 });

describe("steps of a run", () => {
  const extent = runExtent(args, lengths.length);
  const steps = [...stepsFrom(0, extent, args, lengths)];

  it("has the extent that transformers computes", () => {
    expect(extent).toEqual({ batchesPerEpoch: 6, stepsPerEpoch: 3, totalSteps: 8, warmupSteps: 2 });
    expect(runExtent(resolveTrainingArguments({ maxSteps: 5 }), 21).totalSteps).toBe(5);
    expect(runExtent(resolveTrainingArguments(), 21)).toMatchObject({ stepsPerEpoch: 3, totalSteps: 9 });
    expect(() => runExtent(args, 0)).toThrow(/no rows/);
  });

  it("sees every row once an epoch and ends epochs where they end", () => {
    expect(steps.map(({ epoch }) => epoch)).toEqual([0, 0, 0, 1, 1, 1, 2, 2]);
    expect(steps.map(({ endsEpoch }) => endsEpoch)).toEqual([false, false, true, false, false, true, false, true]);
    for (const epoch of [0, 1]) expect(steps.filter((step) => step.epoch === epoch).flatMap(({ batches }) => batches.flat()).sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    expect(steps[0]!.batches).not.toEqual(steps[3]!.batches);
  });

  it("goes on anywhere as if it had not stopped", () => {
    for (let from = 0; from <= steps.length; from++) expect([...stepsFrom(from, extent, args, lengths)]).toEqual(steps.slice(from));
  });
});
