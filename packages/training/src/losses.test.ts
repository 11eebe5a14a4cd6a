import { compile, matmul, ReferenceDevice, type HostTensor } from "@heddle/kernels";
import { describe, expect, it } from "vitest";
import { taskLoss, type TaskLossOptions } from "./losses.ts";
import type { Problem } from "./problem.ts";

const device = new ReferenceDevice("f64");
const floats = (shape: number[], ...values: number[]): HostTensor => ({ shape, data: Float32Array.from(values) });
const ints = (shape: number[], ...values: number[]): HostTensor => ({ shape, data: Int32Array.from(values) });

async function loss(problem: Problem, tensors: Record<string, HostTensor>, options: TaskLossOptions = {}): Promise<number> {
  const compiled = compile(device, "loss", ({ logits, startLogits, endLogits, mask, ...labels }) => ({
    loss: taskLoss(problem, { hiddenStates: [], lastHiddenState: mask!, ...(logits && { logits }), ...(startLogits && { startLogits }), ...(endLogits && { endLogits }) }, labels, mask!, options),
  }));
  return (await compiled.run(tensors))["loss"]!.data[0]!;
}

const logSumExp = (...x: number[]) => Math.log(x.reduce((total, value) => total + Math.exp(value), 0));

describe("taskLoss", () => {
  const mask = ints([3, 2], 1, 1, 1, 0, 0, 0);

  it("single label: mean over the rows with a label", async () => {
    const wanted = (logSumExp(1, 2) - 2 + logSumExp(3, -1) - 3) / 2;
    expect(await loss("single-label", { mask, logits: floats([3, 2], 1, 2, 3, -1, 9, 9), labels: ints([3], 1, 0, -100) })).toBeCloseTo(wanted, 6);
  });

  it("label smoothing and class weights", async () => {
    const row = { mask: ints([1, 1], 1), logits: floats([1, 2], 1, 2), labels: ints([1], 1) };
    const [p0, p1] = [logSumExp(1, 2) - 1, logSumExp(1, 2) - 2];
    expect(await loss("single-label", row, { labelSmoothingFactor: 0.2 })).toBeCloseTo(0.9 * p1 + 0.1 * p0, 6);
    const two = { mask: ints([2, 1], 1, 1), logits: floats([2, 2], 1, 2, 1, 2), labels: ints([2], 1, 0) };
    const weighted = compile(device, "weighted", ({ logits, mask: m, labels, weights }) => ({ loss: taskLoss("single-label", { hiddenStates: [], lastHiddenState: m!, logits: logits! }, { labels: labels! }, m!, { classWeights: weights! }) }));
    const { loss: result } = await weighted.run({ ...two, weights: floats([2], 3, 1) });
    expect(result!.data[0]).toBeCloseTo((p1 + 3 * p0) / 4, 6);
  });

  it("regression and multi-label leave padding rows out", async () => {
    expect(await loss("regression", { mask, logits: floats([3, 1], 1, 2, 50), labels: floats([3, 1], 0, 4, 0) })).toBeCloseTo((1 + 4) / 2, 6);
    const softplus = (x: number) => Math.log1p(Math.exp(x));
    const wanted = (softplus(-1) + softplus(2) + softplus(-3) + softplus(0)) / 4;
    expect(await loss("multi-label", { mask, logits: floats([3, 2], 1, 2, 3, 0, 7, 7), labels: floats([3, 2], 1, 0, 1, 0, 1, 1) })).toBeCloseTo(wanted, 6);
  });

  it("tokens: mean over the labelled ones", async () => {
    const logits = floats([3, 2, 2], 1, 2, 5, 5, 3, -1, 0, 0, 0, 0, 0, 0);
    expect(await loss("token-classification", { mask, logits, labels: ints([3, 2], 1, -100, 0, -100, -100, -100) })).toBeCloseTo((logSumExp(1, 2) - 2 + logSumExp(3, -1) - 3) / 2, 6);
  });

  it("a vocabulary: the same with and without its logits", async () => {
    const tensors = { mask, hidden: floats([3, 2, 2], 1, 2, 5, 5, 3, -1, 0, 0, 0, 0, 0, 0), weight: floats([3, 2], 1, -1, 2, 0, 0, 1), bias: floats([3], 0.5, 0, -1), labels: ints([3, 2], 1, -100, 2, -100, -100, -100) };
    const compiled = compile(device, "loss", ({ hidden, weight, bias, labels, mask: m }) => {
      const outputs = { hiddenStates: [], lastHiddenState: hidden!, logits: matmul(hidden!, weight!, { transposeB: true, bias: bias! }), decoder: { hidden: hidden!, weight: weight!, bias: bias! } };
      const [withLogits, without] = [false, true].map((lossOnly) => taskLoss("masked-lm", outputs, { labels: labels! }, m!, { lossOnly }));
      return { withLogits: withLogits!, without: without! };
    });
    const { withLogits, without } = await compiled.run(tensors);
    expect(without!.data[0]).toBe(withLogits!.data[0]);
    expect(without!.data[0]).toBeCloseTo((logSumExp(-0.5, 2, 1) - 2 + logSumExp(4.5, 6, -2) + 2) / 2, 6);
  });

  it("question answering: the mean of two, positions past the end ignored", async () => {
    const startLogits = floats([3, 2], 1, 2, 0, 4, 0, 0);
    const endLogits = floats([3, 2], 2, 1, 3, 3, 0, 0);
    const start = logSumExp(1, 2) - 2;
    const end = (logSumExp(2, 1) - 1 + logSumExp(3, 3) - 3) / 2;
    // Row 1's start lies at 9, behind the 2 tokens; row 2 is padding.
    expect(await loss("question-answering", { mask, startLogits, endLogits, startPositions: ints([3], 1, 9, -100), endPositions: ints([3], 1, 0, -100) })).toBeCloseTo((start + end) / 2, 6);
  });

  it("says what is missing", async () => {
    await expect(loss("single-label", { mask, logits: floats([3, 2], 0, 0, 0, 0, 0, 0) })).rejects.toThrow(/labels are missing: give every row a label/);
  });
});
