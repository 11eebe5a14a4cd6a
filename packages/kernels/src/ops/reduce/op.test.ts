import { describe, expect, it } from "vitest";
import { rewrite } from "../../program/rewrite.ts";
import { emitOne, trace, type TracedFunction } from "../../program/trace.ts";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { max, mean, reduceOp, sum, type ReduceAttributes } from "./op.ts";
import { lowerReduce } from "./op.wgsl.ts";

const device = await testDevice();

const shapes: [number[], number[]][] = [
  [[1], [0]], [[5], [0]], [[768], [0]], [[5, 7], [1]], [[5, 7], [0]], [[70, 12], [1]], [[768, 128], [0]], [[130, 65], [0]], [[3, 4, 8], [1]], [[3, 5, 2], [0, 2]], [[2, 3, 4, 8], [1, 2]],
  [[0, 4], [0]], [[4, 0], [1]], [[4, 0], [0]], [[0], [0]], [[2, 3], []],
];

describe.each([["sum", sum], ["max", max]] as const)("%s", (_, fold) => {
  it.each(shapes)("of %j over %j equals the reference", async (shape, axes) => {
    await checkForward(device, ({ x }) => ({ y: fold(x!, { axes }), kept: fold(x!, { axes, keepDims: true }) }), { x: randomTensor(shape, 1) }, 1e-6);
  });

  it("of long rows goes in chunks, in two dispatches", async () => {
    // Positive, so that nothing cancels in a sum of so many.
    const positive = (shape: number[]) => ({ shape, data: randomTensor(shape, 1).data.map((value) => value + 1) });
    await checkForward(device, ({ x }) => ({ all: fold(x!), rows: fold(x!, { axes: [1] }), columns: fold(x!, { axes: [0] }) }), { x: positive([3, 50_001]) });
    await checkForward(device, ({ x }) => ({ all: fold(x!) }), { x: positive([70, 2048]) });
  });

  it("of extremes", async () => {
    await checkForward(device, ({ x }) => ({ y: fold(x!, { axes: [1] }) }), { x: { shape: [2, 3], data: Float32Array.of(-1.7e38, -1.6e38, 1, 1e-30, 0, -1e30) } }, 1e-6);
  });
});

describe("gradients", () => {
  it.each<[string, TracedFunction]>([
    ["sum", ({ x }) => ({ y: sum(x!, { axes: [0] }), z: sum(x!, { axes: [-1] }), all: sum(x!) })],
    ["mean", ({ x }) => ({ y: mean(x!, { axes: [0] }), z: mean(x!, { axes: [-1], keepDims: true }), all: mean(x!) })],
    ["max", ({ x }) => ({ y: max(x!, { axes: [1] }) })],
  ])("of %s", async (_, fn) => {
    await checkGradients(device, fn, { x: randomTensor([3, 4, 5], 1) }, ["x"]);
  });
});

describe("mean", () => {
  it("divides in the sum's own kernel", async () => {
    const fn: TracedFunction = ({ x }) => ({ y: mean(x!), rows: mean(x!, { axes: [1] }) });
    const nodes = rewrite(trace("mean", { x: { dtype: "f32", shape: [6, 8] } }, fn)).nodes.map(({ op }) => op.name);
    expect(nodes).not.toContain("mul");
    await checkForward(device, fn, { x: randomTensor([6, 8], 1) });
  });
});

/** Every design on whatever adapter runs the tests, so that those for real GPUs are proven too. */
describe.runIf(device.kind === "webgpu").each([
  ["a lane a row", { lanes: 1, chunks: 1 }],
  ["a lane a chunk", { lanes: 1, chunks: 3 }],
  ["a workgroup a row", { lanes: 64, chunks: 1 }],
  ["a workgroup a chunk", { lanes: 64, chunks: 5 }],
] as const)("%s", (_, choice) => {
  it.each([[3, 5], [7, 68], [70, 300]])("equals the reference on [%i, %i]", async (rows, steps) => {
    const op = { ...reduceOp, lower: (context: Parameters<typeof lowerReduce>[0]) => lowerReduce(context, () => choice) };
    const attributes = (reduction: ReduceAttributes["reduction"]): ReduceAttributes => ({ reduction, begin: 1, end: 2 });
    await checkForward(device, ({ x }) => ({ sum: emitOne(op, [x!], attributes("sum")), max: emitOne(op, [x!], attributes("max")) }), { x: randomTensor([rows, steps], 1) }, 1e-6);
  });
});

it("refuses integers and axes outside", () => {
  expect(() => reference(({ x }) => ({ y: sum(x!) }), { x: { shape: [2], data: Int32Array.of(1, 2) } })).toThrow("[sum] wants f32, got i32; convert with cast()");
  expect(() => reference(({ x }) => ({ y: mean(x!, { axes: [2] }) }), { x: randomTensor([2], 1) })).toThrow("[mean] axis 2 is outside a tensor of rank 1");
});
