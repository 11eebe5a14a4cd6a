import { describe, expect, it } from "vitest";
import { compile } from "../../program/compile.ts";
import { gradients } from "../../program/autodiff.ts";
import { emit, trace, type TracedFunction } from "../../program/trace.ts";
import type { HostTensor } from "../../program/types.ts";
import { checkForward, checkGradients, expectClose, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { add } from "../elementwise/arithmetic.ts";
import type { MatmulKernel } from "../matmul/choose.ts";
import { matmul } from "../matmul/op.ts";
import { QUANTIZATION_FORMATS, type QuantizationFormat } from "../quantize/format.ts";
import { dequantize } from "../quantize/op.ts";
import { dequantizeWeight, quantizeWeight } from "../quantize/quantize.ts";
import { createQuantizedState } from "../quantize/weight.ts";
import { sum } from "../reduce/op.ts";
import { WebGpuDevice } from "../../webgpu/device.ts";
import { lowerQuantizedMatmul, quantizedMatmul, quantizedMatmulOp, type QuantizedMatmulOptions } from "./op.ts";

const device = await testDevice();
/** Matrix units round x to half floats. */
const roundsToHalf = device instanceof WebGpuDevice && device.gpu.profile.features.has("chromium-experimental-subgroup-matrix");
const within = (exact: number) => (roundsToHalf ? 2e-3 : exact);

/** x [lead…, m, k] and a weight [n, k] in its parts. */
function operands(format: QuantizationFormat, m: number, k: number, n: number, lead: number[] = []) {
  const weight = quantizeWeight(randomTensor([n, k], 2), format);
  return { x: randomTensor([...lead, m, k], 1), values: weight.values, scales: weight.scales };
}
const weightOf = (format: QuantizationFormat, n: number, k: number, { values, scales }: Record<string, unknown>) => ({ format, shape: [n, k] as const, values: values as never, scales: scales as never });
const product = (format: QuantizationFormat, k: number, n: number, options: Omit<QuantizedMatmulOptions, "bias"> = {}): TracedFunction => ({ x, bias, residual, ...parts }) => {
  const y = quantizedMatmul(x!, weightOf(format, n, k, parts), { ...options, ...(bias && { bias }) });
  return { y: residual ? add(y, residual) : y };
};

describe.each(QUANTIZATION_FORMATS)("quantizedMatmul with %s", (format) => {
  it("equals the reference at odd sizes, from one row to many", async () => {
    for (const [m, k, n] of [[1, 32, 1], [1, 64, 9], [3, 96, 40], [5, 33, 17], [17, 160, 33], [40, 32, 68], [2, 1, 8]] as const) {
      await checkForward(device, product(format, k, n), operands(format, m, k, n), within(1e-5));
    }
  });

  it("is a product with the weight that a host works out", async () => {
    const [m, k, n] = [6, 100, 24];
    const inputs = operands(format, m, k, n);
    const { data } = dequantizeWeight({ format, shape: [n, k], values: inputs.values, scales: inputs.scales });
    using plain = compile(device, "plain", ({ x, w }) => ({ y: matmul(x!, w!, { transposeB: true }) }));
    using quantized = compile(device, "quantized", product(format, k, n));
    const wanted = await plain.run({ x: inputs.x, w: { shape: [n, k], data } });
    expectClose((await quantized.run(inputs)).y!.data, wanted.y!.data, 1e-5, "y");
    using whole = compile(device, "dequantize", (parts) => ({ w: dequantize(weightOf(format, n, k, parts)) }));
    expectClose((await whole.run({ values: inputs.values, scales: inputs.scales })).w!.data, data, 0, "w");
  });

  it("adds bias and residual, and applies an activation", async () => {
    for (const [m, k, n] of [[1, 64, 12], [9, 96, 20]] as const) {
      const inputs = { ...operands(format, m, k, n, [2]), bias: randomTensor([n], 3), residual: randomTensor([2, m, n], 4) };
      await checkForward(device, product(format, k, n, { activation: "gelu" }), inputs, within(2e-5));
    }
  });

  it("splits a long k by whole blocks", async () => {
    await checkForward(device, product(format, 2080, 16), operands(format, 8, 2080, 16));
  });

  it("has right gradients for x and the bias", async () => {
    for (const k of [64, 40]) {
      await checkGradients(device, product(format, k, 9, { activation: "silu" }), { ...operands(format, 3, k, 9), bias: randomTensor([9], 3) }, ["x", "bias"]);
    }
  });

  it("takes empty operands", async () => {
    for (const [m, k, n] of [[0, 64, 8], [4, 64, 0], [4, 0, 8]] as const) await checkForward(device, product(format, k, n), { ...operands(format, m, k, n), bias: randomTensor([n], 3) });
  });

});

describe("quantizedMatmul", () => {
  it.runIf(device.kind === "webgpu").each<[string, MatmulKernel]>([
    ["naive", { kind: "naive" }],
    ["direct", { kind: "register", rows: 4, columns: 4, lanes: [8, 4], share: "none" }],
    ["workgroup", { kind: "workgroup", rows: 4, columns: 4, lanes: [8, 8], depth: 8, stages: 1 }],
    ["along k", { kind: "workgroup", rows: 4, columns: 4, lanes: [8, 8], depth: 16, stages: 2, alongK: true }],
    ["gemv", { kind: "gemv", rows: 4, reduce: "workgroup" }],
  ])("equals the reference by the design %s, with scales and minima", async (name, kernel) => {
    const op: typeof quantizedMatmulOp = { ...quantizedMatmulOp, lower: (context) => lowerQuantizedMatmul({ ...context, design: { name, kernel, splits: 1 } }) };
    const [m, k, n] = [20, 96, 36];
    await checkForward(device, ({ x, values, scales }) => ({ y: emit(op, [x!, values!, scales!], { format: "q4_1", shape: [n, k], bias: false, activation: "identity" })[0]! }), operands("q4_1", m, k, n));
  });

  it.runIf(device.kind === "webgpu")("holds a weight in an eighth of the memory, and in f32 only where a gradient needs it", () => {
    const [m, k, n] = [8, 256, 512];
    const weight = createQuantizedState(device, "w", quantizeWeight(randomTensor([n, k], 1), "q4_0"));
    const types = { x: { dtype: "f32", shape: [m, k] } } as const;
    using inference = compile(device, "inference", ({ x }) => ({ y: quantizedMatmul(x!, weight) }));
    const { statesBytes, workspaceBytes } = inference.plan(types);
    expect(statesBytes).toBe((n * k * 4.5) / 8);
    expect(workspaceBytes).toBeLessThan(n * k);
    using training = compile(device, "training", ({ x }) => ({ dx: gradients(sum(quantizedMatmul(x!, weight)), [x!])[0]! }));
    expect(training.plan(types).statesBytes).toBe(statesBytes);
    expect(training.plan(types).workspaceBytes).toBeGreaterThanOrEqual(4 * n * k);
    const held = device.memory.currentBytes;
    inference.dispose();
    training.dispose();
    weight.dispose();
    expect(held - device.memory.currentBytes).toBe(statesBytes);
  });

  it("refuses what does not fit, and says what would", () => {
    const inputs = operands("q8_0", 4, 64, 8);
    const run = (changed: Record<string, HostTensor>, shape: readonly [number, number] = [8, 64]) => () =>
      reference(({ x, bias, ...parts }) => ({ y: quantizedMatmul(x!, weightOf("q8_0", ...shape, parts), bias && { bias }) }), { ...inputs, ...changed });
    expect(run({ x: randomTensor([4, 32], 1) })).toThrow("[quantizedMatmul] x [4, 32] · weight [8, 64]ᵀ: x must be [..., rows, 64]");
    expect(run({ x: { shape: [4, 64], data: new Int32Array(256) } })).toThrow("wants an f32 x, got i32; convert with cast()");
    expect(run({}, [9, 64])).toThrow("[quantizedMatmul] values of a q8_0 weight [9, 64] are u32 [9, 16]; got u32 [8, 16]");
    expect(run({ scales: randomTensor([8, 2], 1) })).toThrow("scales of a q8_0 weight [8, 64] are f16 [8, 2]; got f32 [8, 2]");
    expect(run({ bias: randomTensor([64], 1) })).toThrow("the bias must be f32 [8]");
    expect(() => trace("f", { x: { dtype: "f32", shape: [2, 64] } }, ({ x }) => ({ y: quantizedMatmul(x!, weightOf("q8_0", 8, 64, { values: x, scales: x })) }))).toThrow("values of a q8_0 weight [8, 64] are u32 [8, 16]; got f32 [2, 64]");
  });
});
