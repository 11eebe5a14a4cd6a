import { describe, expect, it } from "vitest";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { concat } from "./concat.ts";
import { pad, slice } from "./slice.ts";
import { transpose } from "./transpose.ts";

const device = await testDevice();
const integers = (shape: number[]) => ({ shape, data: Int32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i * 3 - 7) });

describe("transpose", () => {
  it.each([
    [[3, 5], [1, 0]], [[130, 33], [1, 0]], [[2, 7, 3, 4], [0, 2, 1, 3]], [[2, 3, 5, 8], [0, 2, 1, 3]], [[2, 3, 4], [2, 0, 1]], [[4, 8], [1, 0]],
    [[1, 5, 1, 3], [3, 2, 1, 0]], [[2, 1, 2, 3, 2], [4, 3, 2, 1, 0]], [[2, 2, 2, 2, 2, 3], [5, 4, 3, 2, 1, 0]], [[0, 3], [1, 0]], [[5], [0]], [[], []],
  ] as [number[], number[]][])("of %j by %j", async (shape, permutation) => {
    await checkForward(device, ({ x }) => ({ y: transpose(x!, permutation) }), { x: randomTensor(shape, 1) }, 0);
    await checkForward(device, ({ x }) => ({ y: transpose(x!, permutation) }), { x: integers(shape) }, 0);
  });

  it("has the inverse as its gradient", async () => {
    await checkGradients(device, ({ x }) => ({ y: transpose(x!, [2, 0, 1]) }), { x: randomTensor([2, 3, 4], 1) }, ["x"]);
    await checkGradients(device, ({ x }) => ({ y: transpose(x!) }), { x: randomTensor([3, 1, 5], 1) }, ["x"]);
  });

  it("refuses what is no permutation", () => {
    expect(() => reference(({ x }) => ({ y: transpose(x!, [0, 0]) }), { x: randomTensor([2, 3], 1) })).toThrow("[transpose] the permutation of [2, 3] must name each of its 2 axes once, got (0, 0)");
  });

  it.runIf(device.kind === "webgpu")("refuses more axes than its kernel has", async () => {
    await expect(checkForward(device, ({ x }) => ({ y: transpose(x!) }), { x: randomTensor([2, 2, 2, 2, 2, 2, 2], 1) })).rejects.toThrow("transpose in two steps");
  });
});

describe("slice and pad", () => {
  it.each([
    [[5], 0, 1, 3], [[3, 7], 1, 2, 7], [[4, 33], 0, 1, 2], [[2, 8, 4], 1, 3, 5], [[2, 8, 3], -1, 0, 2], [[3, 5], 0, 2, 2], [[2, 130], 1, -30, -2], [[0, 5], 1, 1, 3],
  ] as [number[], number, number, number][])("slice of %j, axis %i, [%i, %i)", async (shape, axis, begin, end) => {
    await checkForward(device, ({ x }) => ({ y: slice(x!, { axis, begin, end }) }), { x: randomTensor(shape, 2) }, 0);
    await checkForward(device, ({ x }) => ({ y: slice(x!, { axis, begin, end }) }), { x: integers(shape) }, 0);
  });

  it.each([[[5], 0, 1, 2], [[3, 4], 1, 0, 4], [[3, 4], 0, 2, 1], [[2, 3, 8], 1, 1, 0], [[2, 0], 1, 3, 1]] as [number[], number, number, number][])("pad of %j, axis %i, %i before, %i after", async (shape, axis, before, after) => {
    await checkForward(device, ({ x }) => ({ y: pad(x!, { axis, before, after }) }), { x: randomTensor(shape, 3) }, 0);
  });

  it("have each other as gradients", async () => {
    await checkGradients(device, ({ x }) => ({ y: slice(x!, { axis: 1, begin: 1, end: 3 }) }), { x: randomTensor([2, 5, 3], 1) }, ["x"]);
    await checkGradients(device, ({ x }) => ({ y: pad(x!, { axis: 0, before: 2, after: 1 }) }), { x: randomTensor([3, 4], 1) }, ["x"]);
  });

  it("refuse steps outside", () => {
    const x = randomTensor([3, 5], 1);
    expect(() => reference(({ x }) => ({ y: slice(x!, { axis: 1, begin: 2, end: 6 }) }), { x })).toThrow("[slice] steps 2 to 6 are not inside axis 1 of [3, 5], which has 5");
    expect(() => reference(({ x }) => ({ y: slice(x!, { axis: 2 }) }), { x })).toThrow("axis 2 is outside a tensor of rank 2");
    expect(() => reference(({ x }) => ({ y: pad(x!, { axis: 0, before: -1 }) }), { x })).toThrow("slice() takes steps away");
  });
});

describe("concat", () => {
  it.each([[[[3]], 0], [[[2], [5]], 0], [[[2, 3], [2, 5], [2, 1]], 1], [[[2, 4], [2, 8]], 1], [[[1, 4], [3, 4], [0, 4]], 0], [[[2, 3, 5], [2, 1, 5]], -2]] as [number[][], number][])("of %j along axis %i", async (shapes, axis) => {
    const inputs = Object.fromEntries(shapes.map((shape, i) => [`x${i}`, randomTensor(shape, i)]));
    await checkForward(device, (tensors) => ({ y: concat(Object.values(tensors), axis) }), inputs, 0);
    await checkForward(device, (tensors) => ({ y: concat(Object.values(tensors), axis) }), Object.fromEntries(shapes.map((shape, i) => [`x${i}`, integers(shape)])), 0);
  });

  it("joins more tensors than a dispatch can bind", async () => {
    const inputs = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`x${i}`, randomTensor([3, 1 + (i % 3)], i)]));
    await checkForward(device, (tensors) => ({ y: concat(Object.values(tensors), 1) }), inputs, 0);
  });

  it("gives each input its part of the gradient", async () => {
    await checkGradients(device, ({ a, b, c }) => ({ y: concat([a!, b!, c!], 1) }), { a: randomTensor([2, 3], 1), b: randomTensor([2, 4], 2), c: randomTensor([2, 1], 3) }, ["a", "b", "c"]);
    // The same tensor twice: both parts count.
    await checkGradients(device, ({ a }) => ({ y: concat([a!, a!], 0) }), { a: randomTensor([2, 3], 1) }, ["a"]);
  });

  it("refuses shapes and dtypes that do not fit", () => {
    expect(() => reference(({ a, b }) => ({ y: concat([a!, b!], 0) }), { a: randomTensor([2, 3], 1), b: randomTensor([2, 4], 1) })).toThrow("[concat] shapes must agree on every axis but 0, got [2, 3] and [2, 4]");
    expect(() => reference(({ a, b }) => ({ y: concat([a!, b!], 0) }), { a: randomTensor([2], 1), b: integers([2]) })).toThrow("[concat] wants one dtype, got f32, i32");
    expect(() => reference(() => ({ y: concat([], 0) }), {})).toThrow("at least one tensor");
  });
});
