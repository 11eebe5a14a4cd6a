import { describe, expect, it } from "vitest";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import type { Tensor } from "../../program/tensor.ts";
import { emit, trace, type TracedFunction } from "../../program/trace.ts";
import { rewrite } from "../../program/rewrite.ts";
import { gradients } from "../../program/autodiff.ts";
import { add, mul } from "../elementwise/arithmetic.ts";
import { sum } from "../reduce/op.ts";
import { lowerNorm } from "../norm/forward.wgsl.ts";
import { lowerNormInputGradient } from "../norm/input-gradient.wgsl.ts";
import type { HeldRow } from "../rowwise/held.ts";
import type { RowDesign } from "../rowwise/rows.ts";
import { addLayerNorm, layerNorm, layerNormOp } from "./op.ts";

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

describe("addLayerNorm", () => {
  const both: TracedFunction = ({ x, residual, weight, bias }) => ({ ...addLayerNorm(x!, residual!, weight!, bias!, 1e-5) });

  it.each([[[3, 5], [3, 5]], [[2, 3, 8], [3, 8]], [[17, 132], [132]], [[2, 3, 8], [1, 3, 8]], [[2, 3, 8], [2, 1, 8]], [[1, 1, 1], [1, 1, 1]], [[0, 4], [0, 4]]])("x %j, residual %j: the norm and the sum, and their gradients", async (shape, residual) => {
    const given = { ...inputs(shape), residual: randomTensor(residual, 4) };
    await checkForward(device, both, given);
    await checkForward(device, (tensors) => ({ y: both(tensors)["y"]! }), given);
    if (shape[0] === 17) return;
    await checkGradients(device, both, given, ["x", "residual", "weight", "bias"]);
    await checkGradients(device, (tensors) => ({ y: both(tensors)["y"]! }), given, ["x", "residual", "weight"]);
    await checkGradients(device, (tensors) => ({ sum: both(tensors)["sum"]! }), given, ["x", "residual", "weight"]);
  });

  it("refuses a residual that does not repeat along x", () => {
    const given = { ...inputs([3, 8]), residual: randomTensor([2, 8], 1) };
    expect(() => reference(both, given)).toThrow("do not broadcast");
    const direct: TracedFunction = ({ x, weight, residual }) => ({ y: emit(layerNormOp, [x!, weight!, residual!], { epsilon: 1e-5, weightOffset: 0, bias: false, residual: true })[0]! });
    expect(() => reference(direct, given)).toThrow("[layerNorm] the residual [2, 8] must have the shape of x [3, 8], or of its last axes");
  });
});

it("adds a gradient that comes past the norm in the norm's own kernel", async () => {
  // A pre-norm block: x reaches the loss through the norm, and beside it.
  const block: TracedFunction = ({ x, weight, bias }) => ({ y: add(x!, mul(2, layerNorm(x!, weight!, bias!, 1e-5))) });
  const given = inputs([3, 8]);
  const types = Object.fromEntries(Object.entries(given).map(([name, { shape }]) => [name, { dtype: "f32" as const, shape }]));
  const step = rewrite(trace("step", types, (tensors) => ({ dx: gradients(sum(mul(block(tensors)["y"]!, tensors["x"]!)), [tensors["x"]!])[0]! })));
  expect(step.nodes.find(({ op }) => op.name === "layerNormInputGradient")!.inputs).toHaveLength(6);
  await checkGradients(device, block, given, ["x"]);
});

/** Every design on whatever adapter runs the tests, so that those for real GPUs are proven too. */
describe.runIf(device.kind === "webgpu").each<[string, RowDesign | HeldRow]>([
  ["a lane a row", { kind: "lane", share: "none", rest: true }],
  ["a workgroup a row", { kind: "workgroup", lanes: 32 }],
  ["a workgroup that holds a row", { kind: "held", lanes: 32, perLane: 5, group: 4 }],
  ["a large workgroup a row", { kind: "workgroup", lanes: 64 }],
])("%s", (_, design) => {
  it.each([[3, 5], [33, 72], [2, 516]])("equals the reference on [%i, %i]", async (rows, features) => {
    const op: typeof layerNormOp = { ...layerNormOp, lower: (context) => lowerNorm(context, { ...context.attributes, centred: true }, () => design) };
    const given = { ...inputs([rows, features]), residual: randomTensor([features], 4) };
    await checkForward(device, ({ x, residual, weight, bias }) => {
      const attributes = { epsilon: 1e-5, weightOffset: 0 };
      const [y, mean, inverse] = emit(op, [x!, weight!, bias!], { ...attributes, bias: true, residual: false });
      const [z, total] = emit(op, [x!, weight!, residual!], { ...attributes, bias: false, residual: true });
      return { y: y!, mean: mean!, inverse: inverse!, z: z!, total: total! };
    }, given);
  });

  it("has the gradient of the reference", async () => {
    const given = { ...inputs([9, 132]), g: randomTensor([9, 132], 6) };
    const withDesign = (dx: Tensor) => emit({ ...dx.node.op, lower: (context: Parameters<typeof lowerNormInputGradient>[0]) => lowerNormInputGradient(context, { centred: true, weightOffset: 0 }, () => design) }, dx.node.inputs, dx.node.attributes)[0]!;
    await checkForward(device, ({ x, weight, bias, g }) => ({ dx: withDesign(gradients(sum(mul(layerNorm(x!, weight!, bias!, 1e-5), g!)), [x!])[0]!) }), given);
  });
});
