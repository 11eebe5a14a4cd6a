import { describe, expect, it } from "vitest";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { cumulativeSum } from "./op.ts";

const device = await testDevice();

describe("cumulativeSum", () => {
  it.each([[[5]], [[1]], [[3, 7]], [[70, 33]], [[2, 3, 4]], [[0, 4]], [[4, 0]]])("of %j equals the reference, forward and backward", async (shape) => {
    const fn = ({ x }: { x?: Parameters<typeof cumulativeSum>[0] }) => ({ y: cumulativeSum(x!) });
    await checkForward(device, fn, { x: randomTensor(shape, 1) });
    await checkGradients(device, fn, { x: randomTensor(shape, 1) }, ["x"]);
  });

  it("adds in order", async () => {
    const { y } = await reference(({ x }) => ({ y: cumulativeSum(x!) }), { x: { shape: [2, 3], data: Float32Array.of(1, 2, 3, -1, 5, 0.5) } });
    expect([...y!.data]).toEqual([1, 3, 6, -1, 4, 4.5]);
  });

  it("refuses integers and scalars", () => {
    expect(() => reference(({ x }) => ({ y: cumulativeSum(x!) }), { x: { shape: [2], data: Int32Array.of(1, 2) } })).toThrow("[cumulativeSum] wants f32, got i32; convert with cast()");
    expect(() => reference(({ x }) => ({ y: cumulativeSum(x!) }), { x: randomTensor([], 1) })).toThrow("[cumulativeSum] a scalar has no last axis");
  });
});
