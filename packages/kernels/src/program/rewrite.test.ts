import { describe, expect, it } from "vitest";
import { add, mul } from "../ops/elementwise/arithmetic.ts";
import { activation } from "../ops/activation/op.ts";
import { embedding } from "../ops/embedding/op.ts";
import { matmul } from "../ops/matmul/op.ts";
import { checkForward, randomTensor } from "../testing/check.ts";
import { testDevice } from "../testing/devices.ts";
import { rewrite } from "./rewrite.ts";
import { trace, type TracedFunction } from "./trace.ts";

const device = await testDevice();
const inputs = { x: randomTensor([6, 8], 1), w: randomTensor([8, 12], 2), v: randomTensor([8, 12], 3), r: randomTensor([6, 12], 4), row: randomTensor([12], 5) };

const names = (fn: TracedFunction) =>
  rewrite(trace("names", Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, { dtype: "f32" as const, shape }])), fn))
    .nodes.map(({ op }) => op.name)
    .filter((name) => name !== "input");

/** What a pair of nodes becomes, and that the numbers stay. */
const cases: [string, TracedFunction, string[]][] = [
  ["a residual joins the product", ({ x, w, r }) => ({ y: add(matmul(x!, w!), r!) }), ["matmul"]],
  ["on either side", ({ x, w, r }) => ({ y: add(r!, matmul(x!, w!, { activation: "gelu" })) }), ["matmul"]],
  ["an activated gate joins", ({ x, w, v }) => ({ y: mul(activation("silu", matmul(x!, w!)), matmul(x!, v!)) }), ["matmul", "matmul"]],
  ["once only", ({ x, w, r }) => ({ y: add(add(matmul(x!, w!), r!), r!) }), ["matmul", "add"]],
  ["not where the sum broadcasts", ({ x, w, row }) => ({ y: add(matmul(x!, w!), row!) }), ["matmul", "add"]],
  ["not where the product is wanted itself", ({ x, w, r }) => ((p) => ({ p, y: add(p, r!) }))(matmul(x!, w!)), ["matmul", "add"]],
  ["not where it is read twice", ({ x, w, r }) => ((p) => ({ y: add(p, r!), z: mul(p, p) }))(matmul(x!, w!)), ["matmul", "add", "mul"]],
  ["of two products one takes the sum", ({ x, w, v }) => ({ y: add(matmul(x!, w!), matmul(x!, v!)) }), ["matmul", "matmul"]],
];

describe("rewrite", () => {
  it("what is added to embeddings joins them: positions for each text, one type for all", async () => {
    const tables = { table: randomTensor([9, 8], 1), ids: { shape: [2, 3], data: Int32Array.of(0, 8, 3, 3, 1, 7) }, positions: randomTensor([3, 8], 2), type: randomTensor([1, 8], 3), each: randomTensor([2, 1, 8], 4) };
    const types = Object.fromEntries(Object.entries(tables).map(([name, { shape }]) => [name, { dtype: name === "ids" ? ("i32" as const) : ("f32" as const), shape }]));
    const fn: TracedFunction = ({ table, ids, positions, type }) => ({ y: add(add(embedding(table!, ids!), positions!), type!) });
    const notRepeating: TracedFunction = ({ table, ids, each }) => ({ y: add(embedding(table!, ids!), each!) });
    const namesOf = (of: TracedFunction) => rewrite(trace("names", types, of)).nodes.map(({ op }) => op.name).filter((name) => name !== "input");
    expect(namesOf(fn)).toEqual(["embedding"]);
    expect(namesOf(notRepeating)).toEqual(["embedding", "add"]);
    for (const of of [fn, notRepeating]) await checkForward(device, of, tables);
  });

  it.each(cases)("%s", async (_, fn, wanted) => {
    expect(names(fn)).toEqual(wanted);
    await checkForward(device, fn, inputs, 2e-5);
  });
});
