import { describe, expect, it } from "vitest";
import type { TracedFunction } from "../../program/trace.ts";
import { gradients } from "../../program/autodiff.ts";
import { compile } from "../../program/compile.ts";
import { checkForward, checkGradients, expectClose, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { softmax } from "../softmax/op.ts";
import { emit } from "../../program/trace.ts";
import type { RowDesign } from "../rowwise/rows.ts";
import { lowerCrossEntropy } from "./forward.wgsl.ts";
import { crossEntropy, crossEntropyOp, type CrossEntropyAttributes, softCrossEntropy, type CrossEntropyOptions } from "./op.ts";

const device = await testDevice();

function someLabels(rows: number, classes: number, ignored: readonly number[] = []) {
  return { shape: [rows], data: Int32Array.from({ length: rows }, (_, i) => (ignored.includes(i) ? -100 : (i * 7 + 1) % classes)) };
}

const positive = (size: number) => ({ shape: [size], data: randomTensor([size], 11).data.map((value) => value + 1.1) });

function withOptions(options: CrossEntropyOptions, weighted: boolean): TracedFunction {
  return ({ logits, labels, weight }) => ({ loss: crossEntropy(logits!, labels!, weighted ? { ...options, weight: weight! } : options) });
}

/**
 * PyTorch's algorithm as it states it (aten/src/ATen/native/LossNLL.cpp, cross_entropy_loss_label_smoothing): a negative
 * log likelihood and a smooth part, each reduced on its own.
 */
function torchCrossEntropy(logits: Float32Array, labels: Int32Array, weight: ArrayLike<number> | null, { ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" }: CrossEntropyOptions): number[] {
  const classes = logits.length / labels.length;
  const weightOf = (c: number) => (weight ? weight[c]! : 1);
  const nll: number[] = [];
  const smooth: number[] = [];
  let weights = 0;
  labels.forEach((label, row) => {
    const scores = [...logits.subarray(row * classes, (row + 1) * classes)];
    const logSumExp = Math.log(scores.reduce((total, score) => total + Math.exp(score), 0));
    const ignored = label === ignoreIndex;
    nll.push(ignored ? 0 : weightOf(label) * (logSumExp - scores[label]!));
    smooth.push(ignored ? 0 : scores.reduce((total, score, c) => total + weightOf(c) * (logSumExp - score), 0));
    weights += ignored ? 0 : weightOf(label);
  });
  const rows = nll.map((value, row) => (1 - labelSmoothing) * value + (labelSmoothing / classes) * smooth[row]!);
  if (reduction === "none") return rows;
  const total = rows.reduce((a, b) => a + b, 0);
  return [reduction === "sum" ? total : total / weights];
}

describe("crossEntropy", () => {
  const logits = randomTensor([9, 5], 1, 4);
  const labels = someLabels(9, 5, [2, 6]);
  const weight = positive(5);
  for (const reduction of ["mean", "sum", "none"] as const) {
    for (const labelSmoothing of [0, 0.1, 1]) {
      for (const weighted of [false, true]) {
        it(`equals PyTorch's: ${reduction}, smoothing ${labelSmoothing}${weighted ? ", weighted" : ""}`, async () => {
          const options = { reduction, labelSmoothing };
          const fn = withOptions(options, weighted);
          const inputs = { logits, labels, ...(weighted && { weight }) };
          using compiled = compile(device, "cross-entropy", fn);
          const wanted = torchCrossEntropy(logits.data as Float32Array, labels.data, weighted ? weight.data : null, options);
          expectClose((await compiled.run(inputs))["loss"]!.data, wanted, 1e-6, "loss");
          expectClose(reference(fn, inputs)["loss"]!.data, wanted, 1e-12, "reference");
          await checkGradients(device, fn, inputs, ["logits"], { tolerance: 1e-6, finiteDifferences: 1e-7 });
        });
      }
    }
  }

  it.each([[1, 1], [3, 2], [1, 4], [17, 33], [5, 130], [0, 3]] as [number, number][])("equals the reference for [%i, %i]", async (rows, classes) => {
    await checkForward(device, withOptions({ labelSmoothing: 0.2 }, false), { logits: randomTensor([rows, classes], 3, 3), labels: someLabels(rows, classes) });
  });

  it.each([[3, 1030], [2, 4096]])("folds a large vocabulary in chunks ([%i, %i])", async (rows, classes) => {
    const inputs = { logits: randomTensor([rows, classes], 3, 10), labels: someLabels(rows, classes), weight: positive(classes) };
    const fn: TracedFunction = ({ logits, labels, weight }) => {
      const loss = crossEntropy(logits!, labels!, { weight: weight!, labelSmoothing: 0.1 });
      return { loss, dLogits: gradients(loss, [logits!])[0]! };
    };
    await checkForward(device, fn, inputs);
  });

  it("takes labels of any shape and another ignoreIndex", async () => {
    const grid = { shape: [2, 3], data: Int32Array.of(0, -1, 2, 3, -1, 1) };
    await checkForward(device, ({ logits, labels }) => ({ loss: crossEntropy(logits!, labels!, { ignoreIndex: -1, reduction: "none" }) }), { logits: randomTensor([2, 3, 4], 5), labels: grid });
    await checkForward(device, ({ logits, labels }) => ({ loss: crossEntropy(logits!, labels!, { ignoreIndex: 2 }) }), { logits: randomTensor([2, 3, 4], 5), labels: { shape: [2, 3], data: Int32Array.of(0, 2, 2, 3, 2, 1) } });
  });

  it("says 0 with zero gradients where every row is ignored", async () => {
    using compiled = compile(device, "ignored", ({ logits, labels }) => {
      const loss = crossEntropy(logits!, labels!);
      return { loss, dLogits: gradients(loss, [logits!])[0]! };
    });
    const { loss, dLogits } = await compiled.run({ logits: randomTensor([3, 4], 1), labels: someLabels(3, 4, [0, 1, 2]) });
    expect([...loss!.data]).toEqual([0]);
    expect([...dLogits!.data]).toEqual(new Array(12).fill(0));
  });

  it("keeps the logits that the caller also reads", async () => {
    const inputs = { logits: randomTensor([5, 4], 1), labels: someLabels(5, 4) };
    await checkForward(device, ({ logits, labels }) => {
      const scores = softmax(logits!);
      const loss = crossEntropy(scores, labels!);
      return { scores, loss, dLogits: gradients(loss, [logits!])[0]! };
    }, inputs);
  });

  it("stays finite and exact at extremes", async () => {
    const logits = { shape: [4, 3], data: Float32Array.of(1e4, 0, -1e4, -3.4e38, 0, 1, 1e30, -1e30, 0, 20, 4, -3) };
    const labels = { shape: [4], data: Int32Array.of(1, 2, 0, 0) };
    await checkForward(device, ({ logits, labels }) => {
      const loss = crossEntropy(logits!, labels!, { reduction: "none" });
      return { loss };
    }, { logits, labels }, 1e-7);
  });

  it("never leaves the logits for labels outside", async () => {
    await checkForward(device, withOptions({}, false), { logits: randomTensor([3, 4], 1), labels: { shape: [3], data: Int32Array.of(4, -7, 2 ** 31 - 1) } });
  });

  it("refuses wrong shapes, types and options", () => {
    expect(() => reference(withOptions({}, false), { logits, labels: someLabels(8, 5) })).toThrow("[crossEntropy] logits must be [..., classes] with one label for each row: logits [9, 5] with labels [8]");
    expect(() => reference(withOptions({}, false), { logits, labels: randomTensor([9], 1) })).toThrow("i32 labels, got f32 and f32");
    expect(() => reference(withOptions({}, true), { logits, labels, weight: positive(4) })).toThrow("weight must be f32 [5]");
    expect(() => reference(withOptions({ labelSmoothing: 1.5 }, false), { logits, labels })).toThrow("labelSmoothing must be in [0, 1]");
    expect(() => reference(withOptions({ reduction: "average" as "mean" }, false), { logits, labels })).toThrow('reduction must be "mean", "sum" or "none"');
  });
});

/** Every design on whatever adapter runs the tests, so that those for real GPUs are proven too. */
describe.runIf(device.kind === "webgpu").each<[string, RowDesign]>([
  ["a lane a row", { kind: "lane", share: "none", rest: true }],
  ["a workgroup a row", { kind: "workgroup", lanes: 32 }],
])("%s", (_, design) => {
  it.each([[5, 7, 1], [300, 12, 1], [3, 516, 1], [3, 516, 5]])("equals the reference on [%i, %i] in %i chunks", async (rows, classes, chunks) => {
    const op: typeof crossEntropyOp = { ...crossEntropyOp, lower: (context) => lowerCrossEntropy(context, () => ({ design, chunks })) };
    for (const labelSmoothing of [0, 0.1]) {
      const fn: TracedFunction = ({ logits, labels, weight }) => {
        const [mean, statistics, factor] = emit<CrossEntropyAttributes>(op, [logits!, labels!, weight!], { ignoreIndex: 2, labelSmoothing, reduction: "mean" });
        const [losses] = emit<CrossEntropyAttributes>(op, [logits!, labels!], { ignoreIndex: 2, labelSmoothing, reduction: "none" });
        return { mean: mean!, statistics: statistics!, factor: factor!, losses: losses! };
      };
      await checkForward(device, fn, { logits: randomTensor([rows, classes], 3, 10), labels: someLabels(rows, classes), weight: positive(classes) });
    }
  });
});

describe("softCrossEntropy", () => {
  it("equals crossEntropy for one-hot targets, and has its gradient", async () => {
    const inputs = { logits: randomTensor([3, 5], 1), labels: someLabels(3, 5), targets: { shape: [3, 5], data: new Float32Array(15) } };
    inputs.labels.data.forEach((label, row) => (inputs.targets.data[row * 5 + label] = 1));
    const { hard, soft } = reference(({ logits, labels, targets }) => ({ hard: crossEntropy(logits!, labels!), soft: softCrossEntropy(logits!, targets!) }), inputs);
    expect(soft!.data[0]).toBeCloseTo(hard!.data[0]!, 12);
    await checkGradients(device, ({ logits, targets }) => ({ loss: softCrossEntropy(logits!, targets!) }), { logits: inputs.logits, targets: randomTensor([3, 5], 9) }, ["logits", "targets"]);
    expect(() => reference(({ logits, targets }) => ({ loss: softCrossEntropy(logits!, targets!) }), { logits: inputs.logits, targets: randomTensor([5], 9) })).toThrow("targets must have the logits' shape [3, 5], got [5]");
  });
});
