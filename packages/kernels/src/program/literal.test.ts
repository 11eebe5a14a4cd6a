import { describe, expect, it } from "vitest";
import { add } from "../ops/elementwise/arithmetic.ts";
import { embedding } from "../ops/embedding/op.ts";
import { matmul } from "../ops/matmul/op.ts";
import { checkForward, checkGradients, randomTensor } from "../testing/check.ts";
import { testDevice } from "../testing/devices.ts";
import { asTensor, trace } from "./trace.ts";

const device = await testDevice();

describe("host data in a program", () => {
  const table = randomTensor([5, 6], 1);

  it("is read by kernels of ops, by fused kernels and back", async () => {
    const ids = { shape: [3], data: Int32Array.of(4, 0, 2) };
    await checkForward(device, ({ x, ids: rows }) => ({ sum: add(x!, table), product: matmul(x!, table, { transposeB: true }), rows: embedding(table, rows!), back: asTensor(table) }), { x: randomTensor([5, 6], 2), ids });
    await checkForward(device, () => ({ whole: asTensor({ shape: [3], data: Int32Array.of(-1, 0, 7) }) }), {});
  });

  it("takes no gradient, and lets others pass", async () => {
    await checkGradients(device, ({ x }) => ({ y: matmul(add(x!, table), table, { transposeB: true }) }), { x: randomTensor([5, 6], 3) }, ["x"]);
  });

  it("is one node for equal numbers, and another for others", () => {
    const count = (other: Float32Array) => trace("twice", {}, () => ({ y: add(add(table, { shape: [5, 6], data: other }), 1) })).nodes.filter(({ op }) => op.name === "literal").length;
    expect(count(Float32Array.from(table.data))).toBe(1);
    expect(count(Float32Array.from(table.data, (value, i) => (i === 29 ? value + 1e-6 : value)))).toBe(2);
  });

  it("must fit its shape", () => {
    expect(() => trace("short", {}, () => ({ y: asTensor({ shape: [2, 3], data: new Float32Array(5) }) }))).toThrow(/shape \[2, 3\] wants 6 numbers, got 5/);
    expect(() => trace("half", {}, () => ({ y: asTensor({ shape: [2], data: new Uint16Array(2) }) }))).toThrow(/Float32Array/);
  });
});
