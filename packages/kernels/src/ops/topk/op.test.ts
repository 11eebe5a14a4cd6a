import { describe, expect, it } from "vitest";
import type { TracedFunction } from "../../program/trace.ts";
import { compile } from "../../program/compile.ts";
import { checkForward, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { argmax, topK } from "./op.ts";

const device = await testDevice();
const best = (k: number): TracedFunction => ({ x }) => ({ ...topK(x!, k), argmax: argmax(x!) });

describe("topK", () => {
  it.each([
    [[1], 1], [[5], 3], [[3, 5], 5], [[33, 17], 4], [[2, 3, 130], 7], [[0, 4], 2], [[2, 5000], 10], [[1, 2049], 1], [[3, 1500], 300], [[1, 70000], 20],
  ] as [number[], number][])("of %j, k = %i", async (shape, k) => {
    await checkForward(device, best(k), { x: randomTensor(shape, 1) }, 0);
  });

  it.each([[33, 8], [2049, 12], [5000, 3], [40001, 6]])("gives the lower index first where values are equal (%i candidates, k = %i)", async (candidates, k) => {
    const x = { shape: [2, candidates], data: Float32Array.from({ length: 2 * candidates }, (_, i) => (Math.imul(i, 2654435761) >>> 8) % 7) };
    await checkForward(device, best(k), { x }, 0);
    await checkForward(device, best(k), { x: { shape: [2, candidates], data: new Float32Array(2 * candidates).fill(-3.4e38) } }, 0);
  });

  it("takes ascending, descending and extreme values", async () => {
    for (const sign of [1, -1]) await checkForward(device, best(9), { x: { shape: [3000], data: Float32Array.from({ length: 3000 }, (_, i) => sign * i) } }, 0);
    using compiled = compile(device, "extremes", best(3));
    const { values, indices } = await compiled.run({ x: { shape: [4], data: Float32Array.of(-3.4e38, 3.4e38, 0, 1e-30) } });
    expect([...indices!.data]).toEqual([1, 3, 2]);
    expect([...values!.data]).toEqual([3.4e38, 1e-30, 0].map(Math.fround));
  });

  it("refuses a k outside the axis, and integers", () => {
    expect(() => reference(best(6), { x: randomTensor([3, 5], 1) })).toThrow("[topK] cannot take the 6 largest along the last axis of [3, 5]; k must be from 1 to 5");
    expect(() => reference(best(0), { x: randomTensor([3, 5], 1) })).toThrow("cannot take the 0 largest");
    expect(() => reference(({ x }) => ({ y: argmax(x!) }), { x: randomTensor([3, 0], 1) })).toThrow("cannot take the 1 largest");
    expect(() => reference(best(1), { x: { shape: [2], data: Int32Array.of(1, 2) } })).toThrow("wants f32, got i32");
  });
});
