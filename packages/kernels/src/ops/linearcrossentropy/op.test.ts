import { describe, expect, it } from "vitest";
import type { Device } from "../../device/device.ts";
import type { Gpu } from "../../device/gpu.ts";
import { gradients } from "../../program/autodiff.ts";
import { compile } from "../../program/compile.ts";
import { toFloat16 } from "../../program/float16.ts";
import type { Tensor } from "../../program/tensor.ts";
import { emit, type TracedFunction } from "../../program/trace.ts";
import type { HostTensor } from "../../program/types.ts";
import { checkGradients, checkWithGradients, expectClose, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { WebGpuDevice } from "../../webgpu/device.ts";
import { crossEntropy } from "../crossentropy/op.ts";
import { matmul } from "../matmul/op.ts";
import { sgd } from "../optimizer/sgd.ts";
import { chunkColumns } from "./chunks.ts";
import { defineLinearCrossEntropy, linearCrossEntropy, type LinearCrossEntropyOptions } from "./op.ts";

const device = await testDevice();

type Loss = (inputs: Record<string, Tensor>, options: LinearCrossEntropyOptions) => Tensor;

/** The loss as it is without the op. */
const unchunked: Loss = ({ hidden, weight, labels }, { bias, ...options }) => crossEntropy(matmul(hidden!, weight!, { transposeB: true, ...(bias !== undefined && { bias }) }), labels!, options);
const asShipped: Loss = ({ hidden, weight, labels }, options) => linearCrossEntropy(hidden!, weight!, labels!, options);
/** 128 classes at a time, or on the CPU 3 rows, whatever there are. */
const smallChunks = defineLinearCrossEntropy(() => 128, () => 3);
const chunked: Loss = ({ hidden, weight, labels }, { bias, ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" }) =>
  emit(smallChunks, [hidden!, weight!, labels!, ...(bias === undefined ? [] : [bias])], { ignoreIndex, labelSmoothing, reduction, bias: bias !== undefined })[0]!;

const ways = Object.entries({ asShipped, chunked });

const lossOf = (way: Loss, options: LinearCrossEntropyOptions = {}): TracedFunction => (inputs) => ({ loss: way(inputs, { ...options, ...(inputs["bias"] && { bias: inputs["bias"] }) }) });

/** Labels spread over all classes; -100 where ignored. */
function someLabels(shape: readonly number[], classes: number, ignored: readonly number[] = []) {
  const rows = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Int32Array.from({ length: rows }, (_, i) => (ignored.includes(i) ? -100 : (i * 71 + 130) % classes)) };
}

function operands(lead: readonly number[], size: number, classes: number, { bias = true, ignored = [] as readonly number[], scale = 1 } = {}): Record<string, HostTensor> {
  return {
    hidden: randomTensor([...lead, size], 1, scale),
    weight: randomTensor([classes, size], 2, scale),
    labels: someLabels(lead, classes, ignored),
    ...(bias && { bias: randomTensor([classes], 3, scale) }),
  };
}

const floats = (inputs: Record<string, HostTensor>) => Object.keys(inputs).filter((name) => name !== "labels");

describe.each(ways)("linearCrossEntropy, %s", (_, way) => {
  for (const reduction of ["mean", "sum", "none"] as const) {
    for (const labelSmoothing of [0, 0.1]) {
      it.each([true, false])(`equals the cross-entropy of the product: ${reduction}, smoothing ${labelSmoothing}, bias %s`, async (bias) => {
        const inputs = operands([7], 5, 300, { bias, ignored: [3], scale: 2 });
        const options = { reduction, labelSmoothing };
        const wanted = reference(lossOf(unchunked, options), inputs)["loss"]!.data;
        expectClose(reference(lossOf(way, options), inputs)["loss"]!.data, wanted, 1e-12, "reference");
        await checkWithGradients(device, lossOf(way, options), inputs, floats(inputs), 1e-5);
      });
    }
  }

  it("has the gradients of finite differences", async () => {
    const inputs = operands([5], 3, 140, { ignored: [1], scale: 2 });
    for (const reduction of ["mean", "none"] as const) await checkGradients(device, lossOf(way, { labelSmoothing: 0.1, reduction }), inputs, floats(inputs), { tolerance: 1e-5, finiteDifferences: 1e-6 });
  });

  it.each<[number[], number, number]>([[[1], 1, 1], [[3], 4, 1], [[1], 7, 129], [[2, 3], 8, 256], [[2, 1, 5], 3, 257], [[33], 5, 515], [[0], 4, 300], [[300], 2, 131]])("equals the reference for hidden [%j, %i] and %i classes", async (lead, size, classes) => {
    const inputs = operands(lead, size, classes);
    await checkWithGradients(device, lossOf(way), inputs, floats(inputs), 1e-5);
  });

  it("says 0 with zero gradients where every row is ignored", async () => {
    using compiled = compile(device, "ignored", (inputs) => {
      const { loss } = lossOf(way)(inputs) as { loss: Tensor };
      const [dHidden, dWeight, dBias] = gradients(loss, [inputs["hidden"]!, inputs["weight"]!, inputs["bias"]!]) as [Tensor, Tensor, Tensor];
      return { loss, dHidden, dWeight, dBias };
    });
    const results = await compiled.run(operands([3], 4, 260, { ignored: [0, 1, 2] }));
    for (const [name, { data }] of Object.entries(results)) expect([...data].every((value) => value === 0), name).toBe(true);
  });

  it("takes another ignoreIndex, and never leaves the logits for labels outside", async () => {
    const inputs = { ...operands([6], 4, 260), labels: { shape: [6], data: Int32Array.of(260, -7, 2 ** 31 - 1, 128, 127, 259) } };
    await checkWithGradients(device, lossOf(way, { ignoreIndex: 128, reduction: "none" }), inputs, floats(inputs), 1e-5);
  });

  it("stays finite and exact at extremes", async () => {
    const inputs = operands([4], 2, 300, { bias: false });
    // Rows whose logits are ±1e4, largest in the first, the middle and the last chunk, and rows far from their labels.
    const weight = { shape: [300, 2], data: Float32Array.from({ length: 600 }, (_, i) => (i === 2 * 7 ? 1e4 : i === 2 * 200 + 1 ? 1e4 : i === 2 * 299 ? -1e4 : 0)) };
    const hidden = { shape: [4, 2], data: Float32Array.of(1, 0, 0, 1, -1, 0, 1, -1) };
    const labels = { shape: [4], data: Int32Array.of(7, 200, 299, 299) };
    await checkWithGradients(device, lossOf(way, { reduction: "none" }), { ...inputs, weight, hidden, labels }, ["hidden", "weight"], 1e-6);
    const { loss } = reference(lossOf(way, { reduction: "none" }), { ...inputs, weight, hidden, labels });
    expect([...loss!.data]).toEqual([0, 0, 0, 2e4]);
  });

  it("reads a weight stored in half precision, and gives it no gradient", async () => {
    const inputs = operands([5], 6, 270);
    const half = { ...inputs, weight: { shape: [270, 6], data: toFloat16(inputs["weight"]!.data as Float32Array) } };
    await checkWithGradients(device, lossOf(way), half, ["hidden", "bias"], 1e-5);
  });

  it("trains nothing but what is asked for", async () => {
    const inputs = operands([5], 6, 270);
    for (const wrt of [["hidden"], ["bias"], ["weight"]]) await checkWithGradients(device, lossOf(way), inputs, wrt, 1e-5);
  });
});

describe("linearCrossEntropy's memory", () => {
  const rows = 512;
  const size = 32;

  /** A step that trains the weight too. */
  function stepOf(way: Loss, classes: number, on: Device = device) {
    const weight = on.createState("weight", { dtype: "f32", shape: [classes, size] });
    using step = compile(on, "step", ({ hidden, labels }) => {
      const loss = way({ hidden: hidden!, weight: weight as unknown as Tensor, labels: labels! }, {});
      const [dHidden, dWeight] = gradients(loss, [hidden!, weight]) as [Tensor, Tensor];
      sgd({ parameter: weight, gradient: dWeight, learningRate: 0.1 });
      return { loss, dHidden };
    });
    const memory = step.plan({ hidden: { dtype: "f32", shape: [rows, size] }, labels: { dtype: "i32", shape: [rows] } });
    weight.dispose();
    return memory;
  }

  it.runIf(device.kind === "webgpu").each(["as it is", "discrete"] as const)("is a chunk of logits, and grows only by the weight and its gradient, on an adapter %s", (kind) => {
    const { gpu } = device as WebGpuDevice;
    const on = kind === "discrete" ? new WebGpuDevice(Object.create(gpu, { profile: { value: { ...gpu.profile, kind } } }) as Gpu) : (device as WebGpuDevice);
    const [logits, weight] = [4 * rows * 32_000, 4 * 32_000 * size];
    const [whole, small, large] = [stepOf(unchunked, 32_000, on), stepOf(asShipped, 32_000, on), stepOf(asShipped, 64_000, on)];
    // A discrete GPU adds up the gradient of the hidden states in as many parts as keep it busy.
    const parts = on.gpu.profile.kind === "discrete" ? 16 * 4 * rows * size : 0;
    expect(whole.peakBytes).toBeGreaterThan(logits);
    expect(small.peakBytes).toBeLessThan(2 * weight + 16 * 2 ** 20 + 2 ** 20 + parts);
    expect(small.peakBytes).toBeLessThan((2 * logits) / 5 + parts);
    // The kernels' parameters are some more, and chunks are not quite of one size.
    expect(large.peakBytes - small.peakBytes).toBeLessThan(2 * weight + 2 ** 20);
  });

  it("chooses chunks of 16 MiB or the size of the hidden states, which begin on aligned places and bind", () => {
    expect(chunkColumns(512, 32)).toBe(8192);
    expect(chunkColumns(12 * 64, 384)).toBeGreaterThan(65);
    expect(chunkColumns(32_768, 768)).toBe(768);
    expect(chunkColumns(1_000_000, 4)).toBe(128);
    expect(chunkColumns(1, 640, 128 * 2 ** 20) * 640 * 4).toBeLessThanOrEqual(128 * 2 ** 20);
    expect(chunkColumns(1000, 24, 64 * 1024)).toBe(128);
    expect(chunkColumns(0, 8)).toBeGreaterThan(1e6);
  });
});

describe("linearCrossEntropy's errors", () => {
  const inputs = operands([4], 3, 6);
  const attempt = (changed: Record<string, HostTensor>, options: LinearCrossEntropyOptions = {}) => () => reference(lossOf(asShipped, options), { ...inputs, ...changed });

  it("refuses wrong shapes, types and options", () => {
    expect(attempt({ hidden: someLabels([4, 3], 6) })).toThrow("[linearCrossEntropy] wants f32 hidden states, an f32 or f16 weight and i32 labels, got i32, f32 and i32; convert with cast()");
    expect(attempt({ labels: randomTensor([4], 1) })).toThrow("got f32, f32 and f32");
    expect(attempt({ weight: randomTensor([3, 6], 1) })).toThrow("[linearCrossEntropy] hidden must be [..., tokens, H] and the weight [V, H], a row for each class: hidden [4, 3], weight [3, 6], labels [4]; turn a weight stored [H, V] with transpose()");
    expect(attempt({ hidden: randomTensor([3], 1), labels: someLabels([], 6) })).toThrow("hidden [3], weight [6, 3], labels []");
    expect(attempt({ weight: randomTensor([0, 3], 1) })).toThrow("weight [0, 3]");
    expect(attempt({ labels: someLabels([5], 6) })).toThrow("[linearCrossEntropy] labels must be one for each row of hidden, [4]: hidden [4, 3], weight [6, 3], labels [5]");
    expect(attempt({ bias: randomTensor([3], 1) })).toThrow("[linearCrossEntropy] the bias must be f32 [6], one number a class; got f32 [3]");
    expect(attempt({}, { labelSmoothing: 1.5 })).toThrow("[linearCrossEntropy] labelSmoothing must be in [0, 1], got 1.5");
    expect(attempt({}, { ignoreIndex: 0.5 })).toThrow("[linearCrossEntropy] ignoreIndex must be a 32-bit whole number, got 0.5");
    expect(attempt({}, { reduction: "average" as "mean" })).toThrow('[linearCrossEntropy] reduction must be "mean", "sum" or "none"');
  });
});
