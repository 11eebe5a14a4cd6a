import { describe, expect, it } from "vitest";
import { emit, type TracedFunction } from "../../program/trace.ts";
import { checkForward, checkGradients, expectClose, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { lowerNorm } from "../norm/forward.wgsl.ts";
import { addRmsNorm, rmsNorm, rmsNormOp } from "./op.ts";

const device = await testDevice();
const norm: TracedFunction = ({ x, weight }) => ({ y: rmsNorm(x!, weight!, 1e-6) });
const gemma: TracedFunction = ({ x, weight }) => ({ y: rmsNorm(x!, weight!, 1e-6, { unitOffset: true }) });

function inputs(shape: number[], scale = 1) {
  return { x: randomTensor(shape, 1, scale), weight: randomTensor([shape.at(-1)!], 2) };
}

describe("rmsNorm", () => {
  it("is x / √(mean(x²) + epsilon) · weight", () => {
    const { y } = reference(({ x, weight }) => ({ y: rmsNorm(x!, weight!, 0.5) }), { x: { shape: [2], data: Float32Array.of(3, -4) }, weight: { shape: [2], data: Float32Array.of(1, 2) } });
    expectClose(y!.data, [3 / Math.sqrt(13), -8 / Math.sqrt(13)], 1e-12, "y");
  });

  it.each([[[1]], [[3]], [[4]], [[5, 7]], [[2, 3, 8]], [[33, 17]], [[130, 132]], [[0, 4]], [[3, 0]]])("equals the reference on %j", async (shape) => {
    await checkForward(device, norm, inputs(shape, 2));
    await checkForward(device, gemma, inputs(shape, 2));
  });

  it("stays finite for large rows and for zeros", async () => {
    await checkForward(device, norm, inputs([4, 8], 1e15));
    await checkForward(device, norm, { ...inputs([2, 8]), x: { shape: [2, 8], data: new Float32Array(16) } });
  });

  it.each([[[1, 3]], [[3, 5]], [[2, 3, 4]], [[0, 4]]])("has the gradients of finite differences on %j", async (shape) => {
    await checkGradients(device, norm, inputs(shape), ["x", "weight"]);
    await checkGradients(device, gemma, inputs(shape), ["x", "weight"]);
  });

  it("adds the weight's gradient of many rows in chunks", async () => {
    await checkGradients(device, norm, inputs([130, 4]), ["weight"]);
  });

  it.runIf(device.kind === "webgpu")("equals the reference with a workgroup a row", async () => {
    const op: typeof rmsNormOp = { ...rmsNormOp, lower: (context) => lowerNorm(context, { ...context.attributes, centred: false }, () => ({ kind: "workgroup", lanes: 32 })) };
    await checkForward(device, ({ x, weight }) => ({ y: emit(op, [x!, weight!], { epsilon: 1e-6, weightOffset: 0, bias: false, residual: false })[0]! }), inputs([5, 300]));
  });

  it("refuses wrong shapes and epsilons", () => {
    expect(() => reference(norm, { ...inputs([3, 5]), weight: randomTensor([4], 1) })).toThrow("[rmsNorm] x [3, 5] is normalised over its last axis, so the weight must be [5]; got [4]");
    expect(() => reference(({ x, weight }) => ({ y: rmsNorm(x!, weight!, 0) }), inputs([3, 5]))).toThrow("rms_norm_eps, usually 1e-5 or 1e-6");
  });
});

describe("addRmsNorm", () => {
  it.each([[[3, 5], [3, 5]], [[2, 3, 8], [3, 8]]])("x %j, residual %j: the norm and the sum, and their gradients", async (shape, residual) => {
    const both: TracedFunction = ({ x, residual, weight }) => ({ ...addRmsNorm(x!, residual!, weight!, 1e-6, { unitOffset: true }) });
    await checkForward(device, both, { ...inputs(shape), residual: randomTensor(residual, 4) });
    await checkGradients(device, both, { ...inputs(shape), residual: randomTensor(residual, 4) }, ["x", "residual", "weight"]);
  });
});
