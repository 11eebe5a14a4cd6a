import { describe, expect, it } from "vitest";
import { compile } from "../../program/compile.ts";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { gradients } from "../../program/autodiff.ts";
import type { Tensor } from "../../program/tensor.ts";
import { emitOne } from "../../program/trace.ts";
import type { WebGpuDevice } from "../../webgpu/device.ts";
import { mul } from "../elementwise/arithmetic.ts";
import { sum } from "../reduce/op.ts";
import type { RowDesign } from "../rowwise/rows.ts";
import { logSoftmax, softmax, softmaxOp } from "./op.ts";
import { lowerSoftmax, lowerSoftmaxGradient } from "./op.wgsl.ts";

const device = await testDevice();
const MASKED = -3.4028234663852886e38;

describe.each([["softmax", softmax], ["logSoftmax", logSoftmax]] as const)("%s", (_, fn) => {
  it.each([[[1]], [[3]], [[4]], [[5, 7]], [[2, 3, 8]], [[33, 17]], [[7, 130]], [[0, 4]], [[3, 0]]])("equals the reference on %j", async (shape) => {
    await checkForward(device, ({ x }) => ({ y: fn(x!) }), { x: randomTensor(shape, 1, 5) });
  });

  it.each([[[1]], [[3, 5]], [[2, 3, 4]], [[7, 17]]])("has the gradients of finite differences on %j", async (shape) => {
    await checkGradients(device, ({ x }) => ({ y: fn(x!) }), { x: randomTensor(shape, 2, 3) }, ["x"], { tolerance: 1e-5 });
  });

  it("does not overflow", async () => {
    await checkForward(device, ({ x }) => ({ y: fn(x!) }), { x: { shape: [3, 4], data: Float32Array.of(1e4, 1e4, 0, -1e4, 500, 499, 498, 0, -1e30, -1e30, -1e30, -1e30) } });
  });

  it("refuses integers and scalars", () => {
    expect(() => reference(({ x }) => ({ y: fn(x!) }), { x: { shape: [2], data: Int32Array.of(1, 2) } })).toThrow("wants f32, got i32");
    expect(() => reference(() => ({ y: fn(1) }), {})).toThrow("wants at least one axis");
  });
});

describe("masking", () => {
  it("gives masked places exactly 0, and a fully masked row the uniform distribution", async () => {
    using compiled = compile(device, "masked", ({ x }) => ({ y: softmax(x!) }));
    const { y } = await compiled.run({ x: { shape: [3, 4], data: Float32Array.of(1, MASKED, 1, MASKED, MASKED, MASKED, MASKED, MASKED, 200, MASKED, MASKED, MASKED) } });
    expect([...y!.data]).toEqual([0.5, 0, 0.5, 0, 0.25, 0.25, 0.25, 0.25, 1, 0, 0, 0]);
  });
});

/** Every design on whatever adapter runs the tests, so that those for real GPUs are proven too. */
describe.runIf(device.kind === "webgpu").each<[string, RowDesign]>([
  ["a lane a row", { kind: "lane", share: "none", rest: true }],
  ["a workgroup a row", { kind: "workgroup", lanes: 32 }],
])("%s", (_, design) => {
  it.each([[3, 5], [33, 68], [2, 517]])("equals the reference on [%i, %i]", async (rows, classes) => {
    const op: typeof softmaxOp = { ...softmaxOp, lower: (context) => lowerSoftmax(context, () => design) };
    await checkForward(device, ({ x }) => ({ y: emitOne(op, [x!], { log: false }), z: emitOne(op, [x!], { log: true }) }), { x: randomTensor([rows, classes], 1, 30) });
  });
});

describe.runIf(device.kind === "webgpu" && (device as WebGpuDevice).gpu.profile.subgroupMinSize >= 4)("a workgroup that holds a row", () => {
  it.each([[3, 5], [9, 132]])("equals the reference on [%i, %i], with its gradient", async (rows, classes) => {
    const design = { kind: "held", lanes: 32, perLane: 2, group: 4 } as const;
    const op: typeof softmaxOp = { ...softmaxOp, lower: (context) => lowerSoftmax(context, () => design) };
    const withDesign = (dx: Tensor) => emitOne({ ...dx.node.op, lower: (context: Parameters<typeof lowerSoftmaxGradient>[0]) => lowerSoftmaxGradient(context, () => design) }, dx.node.inputs, dx.node.attributes);
    await checkForward(device, ({ x, g }) => {
      const outputs = [false, true].map((log) => emitOne(op, [x!], { log }));
      const [dy, dz] = [softmax, logSoftmax].map((fn) => withDesign(gradients(sum(mul(fn(x!), g!)), [x!])[0]!));
      return { y: outputs[0]!, z: outputs[1]!, dy: dy!, dz: dz! };
    }, { x: randomTensor([rows, classes], 1, 30), g: randomTensor([rows, classes], 2) });
  });
});
