import { describe, expect, it } from "vitest";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { layerNorm } from "./op.ts";
import type { TracedFunction } from "../../program/trace.ts";

const device = await testDevice();
const norm: TracedFunction = ({ x, weight, bias }) => ({ y: layerNorm(x!, weight!, bias!, 1e-5) });

function inputs(shape: number[], scale = 1) {
  const features = shape.at(-1)!;
  return { x: randomTensor(shape, 1, scale), weight: randomTensor([features], 2), bias: randomTensor([features], 3) };
}

describe("layerNorm", () => {
  it.each([[[1]], [[3]], [[4]], [[5, 7]], [[2, 3, 8]], [[33, 17]], [[130, 132]], [[0, 4]], [[3, 0]]])("equals the reference on %j", async (shape) => {
    await checkForward(device, norm, inputs(shape, 2));
  });

  it("takes no bias", async () => {
    await checkForward(device, ({ x, weight }) => ({ y: layerNorm(x!, weight!, null, 1e-12) }), { x: randomTensor([5, 12], 1), weight: randomTensor([12], 2) });
  });

  it("keeps its precision far from zero, where E[x²] − E[x]² would be noise", async () => {
    const { x, weight, bias } = inputs([5, 768]);
    const shifted = { shape: x.shape, data: x.data.map((value) => value + 3000) };
    await checkForward(device, norm, { x: shifted, weight, bias }, 2e-4);
  });

  it("gives the bias for a constant row, and stays finite for large ones", async () => {
    const { weight, bias } = inputs([2, 8]);
    await checkForward(device, norm, { x: { shape: [2, 8], data: new Float32Array(16).fill(5) }, weight, bias });
    await checkForward(device, norm, inputs([4, 8], 1e15));
  });

  it.each([[[1, 1]], [[3, 5]], [[2, 3, 4]], [[17, 7]], [[9, 12]]])("has the gradients of finite differences on %j", async (shape) => {
    await checkGradients(device, norm, inputs(shape), ["x", "weight", "bias"]);
  });

  it("adds the parameters' gradients of many rows in chunks", async () => {
    const shape = [130, 4];
    // 130 rows are five chunks; finite differences of x alone would take minutes, the parameters are few.
    await checkGradients(device, norm, inputs(shape), ["weight", "bias"]);
    await checkGradients(device, norm, inputs([65, 3]), ["weight", "bias"]);
  });

  it("gives zero gradients for no rows", async () => {
    await checkGradients(device, norm, inputs([0, 4]), ["x", "weight", "bias"]);
  });

  it("refuses wrong shapes, types and epsilons", () => {
    const { x, weight, bias } = inputs([3, 5]);
    expect(() => reference(norm, { x, weight: randomTensor([4], 1), bias })).toThrow("[layerNorm] x [3, 5] is normalised over its last axis, so weight and bias must be [5]; got [4] and [5]");
    expect(() => reference(norm, { x: { shape: [3, 5], data: new Int32Array(15) }, weight, bias })).toThrow("[layerNorm] wants f32, got i32");
    expect(() => reference(({ x, weight, bias }) => ({ y: layerNorm(x!, weight!, bias!, 0) }), { x, weight, bias })).toThrow("epsilon must be positive");
  });
});
