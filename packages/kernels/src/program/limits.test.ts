import { afterAll, describe, expect, it } from "vitest";
import { activation } from "../ops/activation/op.ts";
import { defineLinearCrossEntropy } from "../ops/linearcrossentropy/op.ts";
import { dropout } from "../ops/dropout/op.ts";
import { add, mul } from "../ops/elementwise/arithmetic.ts";
import { embedding } from "../ops/embedding/op.ts";
import { matmul } from "../ops/matmul/op.ts";
import { logSoftmax, softmax } from "../ops/softmax/op.ts";
import { topK } from "../ops/topk/op.ts";
import { checkForward, randomTensor } from "../testing/check.ts";
import { testDevice } from "../testing/devices.ts";
import { quantizeWeight } from "../ops/quantize/quantize.ts";
import { quantizedMatmul } from "../ops/quantizedmatmul/op.ts";
import { toFloat16 } from "./float16.ts";
import { WebGpuDevice } from "../webgpu/device.ts";
import { gradients } from "./autodiff.ts";
import { compile } from "./compile.ts";
import type { Tensor } from "./tensor.ts";
import { emit, type TracedFunction } from "./trace.ts";
import type { Gpu } from "../device/gpu.ts";

const LIMIT_BYTES = 64 * 1024;

/** The adapter of all tests, as if it could bind no more than LIMIT_BYTES at once. */
const { gpu } = (await testDevice()) as WebGpuDevice;
const device = new WebGpuDevice(Object.create(gpu, { profile: { value: { ...gpu.profile, maxStorageBufferBindingSize: LIMIT_BYTES } } }) as Gpu);
afterAll(() => device.workspace.release(device));

const logits = (x: number, vocabulary: number) => ({ x: randomTensor([x, 24], 1), w: randomTensor([vocabulary, 24], 2), bias: randomTensor([vocabulary], 3), other: randomTensor([x, vocabulary], 4) });

describe("more than an adapter binds in one piece", () => {
  it.each<[string, TracedFunction, number[]]>([
    ["softmax", ({ x }) => ({ y: softmax(x!), z: logSoftmax(x!) }), [300, 200]],
    ["topK", ({ x }) => ({ ...topK(x!, 3) }), [3, 130, 70]],
    ["a chain of element-wise ops", ({ x, row }) => ({ y: add(mul(activation("gelu", x!), row!), 2) }), [5, 130, 70]],
    ["a chain over one axis", ({ x }) => ({ y: add(mul(x!, x!), x!) }), [50_001]],
  ])("%s is done in blocks of rows", async (_, fn, shape) => {
    const inputs = { x: randomTensor(shape, 1, 3), row: randomTensor(shape.slice(-1), 2) };
    await checkForward(device, fn, inputs, 1e-5);
  });

  it("dropout draws the same numbers in blocks", async () => {
    const inputs = { x: randomTensor([130, 200], 1), key: { shape: [], data: Uint32Array.of(7) } };
    await checkForward(device, ({ x, key }) => ({ y: dropout(x!, 0.3, key!) }), inputs);
  });

  it("an embedding's table is read in blocks", async () => {
    const ids = { shape: [7], data: Int32Array.of(0, 1999, 640, 639, -5, 5000, 1280) };
    await checkForward(device, ({ table, ids }) => ({ y: embedding(table!, ids!) }), { table: randomTensor([2000, 24], 1), ids }, 0);
  });

  it("a product goes by columns of a large vocabulary", async () => {
    const fn: TracedFunction = ({ x, w, bias, other }) => ({ y: add(matmul(x!, w!, { transposeB: true, bias: bias!, activation: "gelu" }), other!) });
    for (const [rows, vocabulary] of [[5, 1000], [1, 1537], [3, 1000]] as const) await checkForward(device, fn, logits(rows, vocabulary), 2e-5);
  });

  it("an embedding's table in fewer bits is read in blocks", async () => {
    const ids = { shape: [7], data: Int32Array.of(0, 2999, 640, 639, -5, 5000, 1664) };
    for (const format of ["q8_0", "q4_1"] as const) {
      const { shape, values, scales } = quantizeWeight(randomTensor([3000, 96], 1), format);
      await checkForward(device, (inputs) => ({ y: embedding({ format, shape, values: inputs["values"]!, scales: inputs["scales"]! }, inputs["ids"]!) }), { values, scales, ids }, 1e-6);
    }
  });

  it("a product goes by columns of a large vocabulary in fewer bits", async () => {
    const { x, w, bias } = logits(5, 3001);
    await checkForward(device, ({ x: input, w: half, bias: row }) => ({ y: matmul(input!, half!, { transposeB: true, bias: row! }) }), { x, bias, w: { shape: w.shape, data: toFloat16(w.data) } }, 2e-5);
    const { format, shape, values, scales } = quantizeWeight(randomTensor([3001, 32], 2), "q8_0");
    const fn: TracedFunction = (inputs) => ({ y: quantizedMatmul(inputs["x"]!, { format, shape, values: inputs["values"]!, scales: inputs["scales"]! }, { bias: inputs["bias"]! }) });
    for (const rows of [1, 5]) await checkForward(device, fn, { x: randomTensor([rows, 32], 1), values, scales, bias }, 2e-5);
  });

  it("a product goes by rows of a large result, and of a large left side", async () => {
    await checkForward(device, ({ x, w, bias }) => ({ y: matmul(x!, w!, { transposeB: true, bias: bias! }) }), logits(300, 200));
    await checkForward(device, ({ a, b }) => ({ y: matmul(a!, b!) }), { a: randomTensor([1000, 60], 1), b: randomTensor([60, 9], 2) });
    await checkForward(device, ({ a, b }) => ({ y: matmul(a!, b!, { transposeA: true }) }), { a: randomTensor([16, 900], 1), b: randomTensor([16, 130], 2) });
  });

  it("a product adds up parts of a large k", async () => {
    const options = { activation: "relu" } as const;
    await checkForward(device, ({ a, b, bias }) => ({ y: matmul(a!, b!, { ...options, bias: bias! }) }), { a: randomTensor([7, 2000], 1), b: randomTensor([2000, 20], 2), bias: randomTensor([20], 3) }, 2e-5);
    await checkForward(device, ({ a, b }) => ({ y: matmul(a!, b!, { ...options, transposeA: true }) }), { a: randomTensor([2000, 12], 1), b: randomTensor([2000, 20], 2) }, 2e-5);
    await checkForward(device, ({ a, b }) => ({ y: matmul(a!, b!, { ...options, transposeA: true, transposeB: true }) }), { a: randomTensor([2000, 12], 1), b: randomTensor([6, 2000], 2) }, 2e-5);
  });

  it("the loss of a linear layer goes by chunks of its classes that bind", async () => {
    const op = defineLinearCrossEntropy();
    const { x, w, bias } = logits(40, 3001);
    const labels = { shape: [40], data: Int32Array.from({ length: 40 }, (_, i) => (i * 77) % 3001) };
    const attributes = { reduction: "mean", ignoreIndex: -100, labelSmoothing: 0, bias: true } as const;
    const fn: TracedFunction = (inputs) => {
      const [hidden, weight, row] = [inputs["x"]!, inputs["w"]!, inputs["bias"]!];
      const loss = emit(op, [hidden, weight, inputs["labels"]!, row], attributes)[0]!;
      const [dHidden, dWeight, dBias] = gradients(loss, [hidden, weight, row]) as [Tensor, Tensor, Tensor];
      return { loss, dHidden, dWeight, dBias };
    };
    await checkForward(device, fn, { x, w, bias, labels });
  });

  it("says so where no block is small enough", () => {
    using wide = compile(device, "wide", ({ x }) => ({ y: softmax(x!) }));
    expect(() => wide.plan({ x: { dtype: "f32", shape: [2, 20_000] } })).toThrow(/\[softmax.*\] would bind \[2, 20000\], 0\.2 MiB, and this adapter binds at most 0\.1 MiB in one piece; use a smaller batch/);
  });
});
