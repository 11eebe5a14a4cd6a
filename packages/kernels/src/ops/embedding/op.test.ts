import { describe, expect, it } from "vitest";
import { gradients } from "../../program/autodiff.ts";
import { compile, hostTensor } from "../../program/compile.ts";
import { toFloat16 } from "../../program/float16.ts";
import type { Tensor } from "../../program/tensor.ts";
import { constant, type TracedFunction } from "../../program/trace.ts";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { mul } from "../elementwise/arithmetic.ts";
import { QUANTIZATION_FORMATS } from "../quantize/format.ts";
import { quantizeWeight } from "../quantize/quantize.ts";
import { sum } from "../reduce/op.ts";
import { embedding, scatterAdd } from "./op.ts";

const device = await testDevice();
const lookup: TracedFunction = ({ table, ids }) => ({ y: embedding(table!, ids!) });
const scatter: TracedFunction = ({ ids, updates }) => ({ y: scatterAdd(ids!, updates!, 7) });

/** Ids in [0, rows) with repeats, in no order. */
function someIds(shape: number[], rows: number) {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Int32Array.from({ length: size }, (_, i) => (Math.imul(i + 3, 2654435761) >>> 8) % rows) };
}

describe("embedding", () => {
  it.each([
    [1, 1, []], [3, 5, [7]], [17, 4, [2, 3]], [130, 12, [5, 33]], [5, 7, [0]], [4, 0, [3]],
  ] as [number, number, number[]][])("takes rows of a [%i, %i] table by ids of shape %j", async (rows, features, shape) => {
    await checkForward(device, lookup, { table: randomTensor([rows, features], 1), ids: someIds(shape, rows) }, 0);
  });

  it.each([[5, 3, [7]], [9, 4, [2, 5]], [1, 8, [6]], [33, 4, [17]]] as [number, number, number[]][])("adds gradients of equal ids ([%i, %i], ids %j)", async (rows, features, shape) => {
    await checkGradients(device, lookup, { table: randomTensor([rows, features], 2), ids: someIds(shape, rows) }, ["table"]);
  });

  it.each([[3, 5, [7]], [17, 4, [2, 3]], [5, 7, [0]]] as [number, number, number[]][])("reads a [%i, %i] table in half floats, by ids of shape %j", async (rows, features, shape) => {
    const table = { shape: [rows, features], data: toFloat16(randomTensor([rows, features], 1).data) };
    await checkForward(device, lookup, { table, ids: someIds(shape, rows) }, 0);
    await checkForward(device, ({ table: half }) => ({ y: embedding(half!, constant(-5, "i32")) }), { table }, 0);
  });

  it.each(QUANTIZATION_FORMATS)("reads a table in %s, row by row", async (format) => {
    for (const [rows, features, shape] of [[3, 32, [7]], [17, 96, [2, 3]], [5, 45, [4]], [9, 66, [2]], [5, 64, [0]]] as const) {
      const { values, scales } = quantizeWeight(randomTensor([rows, features], 1), format);
      const fewBits = (parts: Record<string, Tensor>) => ({ format, shape: [rows, features] as const, values: parts["values"]!, scales: parts["scales"]! });
      await checkForward(device, ({ ids, ...parts }) => ({ y: embedding(fewBits(parts), ids!) }), { values, scales, ids: someIds([...shape], rows) }, 1e-6);
      await checkForward(device, (parts) => ({ y: embedding(fewBits(parts), constant(-5, "i32")) }), { values, scales }, 1e-6);
    }
  });

  it("never leaves the table: ids outside read its nearest row and have no gradient", async () => {
    const table = randomTensor([3, 4], 1);
    const ids = { shape: [5], data: Int32Array.of(-1, 3, 2 ** 31 - 1, -(2 ** 31), 1) };
    using compiled = compile(device, "clamped", lookup);
    const { y } = await compiled.run({ table, ids });
    const row = (i: number) => [...table.data.subarray(4 * i, 4 * i + 4)];
    expect([...y!.data]).toEqual([...row(0), ...row(2), ...row(2), ...row(0), ...row(1)]);
    await checkForward(device, scatter, { ids, updates: randomTensor([5, 4], 3) });
  });

  it("gives a padding row no gradient", async () => {
    using compiled = compile(device, "padding", ({ table, ids, weight }) => {
      const y = embedding(table!, ids!, { paddingIndex: 2 });
      return { y, dTable: gradients(sum(mul(y, weight!)), [table!])[0]! };
    });
    const table = randomTensor([4, 3], 1);
    const weight = randomTensor([5, 3], 2);
    const { y, dTable } = await compiled.run({ table, weight, ids: { shape: [5], data: Int32Array.of(2, 0, 3, 2, 0) } });
    expect([...y!.data.subarray(0, 3)]).toEqual([...table.data.subarray(6, 9)]);
    const row = (i: number) => weight.data.subarray(3 * i, 3 * i + 3);
    expect(dTable!.data).toEqual(Float32Array.of(...row(1).map((value, i) => value + row(4)[i]!), 0, 0, 0, 0, 0, 0, ...row(2)));
  });

  it("refuses other types and shapes", () => {
    const table = randomTensor([3, 4], 1);
    expect(() => reference(lookup, { table, ids: randomTensor([2], 1) })).toThrow("[embedding] wants i32 ids, got f32; convert with cast()");
    expect(() => reference(lookup, { table: randomTensor([4], 1), ids: someIds([2], 3) })).toThrow("[embedding] the table must be [vocabulary, features]");
  });
});

describe("scatterAdd", () => {
  it("loses no update of an id that comes often, however many threads add", async () => {
    const [count, features, rows] = [4096, 384, 300];
    using compiled = compile(device, "often", ({ ids, updates }) => ({ y: scatterAdd(ids!, updates!, rows) }));
    for (const distinct of [1, 3, 1, 3, 1]) {
      const ids = Int32Array.from({ length: count }, (_, i) => 7 + (i % distinct));
      const { y } = await compiled.run({ ids: hostTensor(ids), updates: hostTensor(new Float32Array(count * features).fill(1), [count, features]) });
      const counts = Array.from({ length: rows }, (_, row) => ids.reduce((total, id) => total + Number(id === row), 0));
      expect(y!.data.findIndex((value, i) => value !== counts[Math.floor(i / features)])).toBe(-1);
    }
  });

  it.each([[[1], 1], [[5], 3], [[2, 3], 4], [[33], 17], [[130], 20], [[0], 4], [[], 5]] as [number[], number][])("equals the reference for ids %j with %i features", async (shape, features) => {
    await checkForward(device, scatter, { ids: someIds(shape, 7), updates: randomTensor([...shape, features], 4) });
  });

  it("adds runs of one id, and one id everywhere", async () => {
    const ids = { shape: [130], data: Int32Array.from({ length: 130 }, (_, i) => (i < 65 ? 0 : Math.floor(i / 13) % 7)) };
    await checkForward(device, scatter, { ids, updates: randomTensor([130, 8], 5) });
    await checkForward(device, scatter, { ids: { shape: [130], data: new Int32Array(130).fill(6) }, updates: randomTensor([130, 3], 5) });
  });

  it("gives the same bits every time", async () => {
    using compiled = compile(device, "repeat", ({ ids, updates }) => ({ y: scatterAdd(ids!, updates!, 40) }));
    const inputs = { ids: someIds([512], 40), updates: randomTensor([512, 12], 6) };
    const first = await compiled.run(inputs);
    for (let run = 0; run < 3; run++) expect((await compiled.run(inputs))["y"]!.data).toEqual(first["y"]!.data);
  });

  it("has the gradient of finite differences", async () => {
    await checkGradients(device, scatter, { ids: someIds([5], 7), updates: randomTensor([5, 3], 7) }, ["updates"]);
  });

  it("refuses updates that do not match the ids", () => {
    expect(() => reference(scatter, { ids: someIds([2, 3], 7), updates: randomTensor([6, 4], 1) })).toThrow("[scatterAdd] ids [2, 3] need updates of shape [2, 3, features], got [6, 4]");
    expect(() => reference(({ ids, updates }) => ({ y: scatterAdd(ids!, updates!, 0) }), { ids: someIds([2], 7), updates: randomTensor([2, 4], 1) })).toThrow("rows must be a whole number of at least 1");
  });
});
