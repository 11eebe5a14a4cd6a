import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openDevice } from "../device/open.ts";
import { add, mul } from "../ops/elementwise/arithmetic.ts";
import { mean, sum } from "../ops/reduce/op.ts";
import { reshape } from "../ops/reshape/op.ts";
import { compile } from "../program/compile.ts";
import { assign } from "../program/trace.ts";
import { findOverwritable } from "./overwritable.ts";
import type { NodeInfo } from "./proto.ts";

const node = (type: string, inputs: string[], output: string): NodeInfo => ({ type, domain: "", inputs, outputs: [output], attributes: {} });
const overwrites = (...nodes: NodeInfo[]) => findOverwritable(nodes, [{ old: "w", next: "w.next" }]).has("w.next");

describe("findOverwritable", () => {
  it("allows it where every reader runs before, or goes element by element", () => {
    expect(overwrites(node("Sub", ["w", "step"], "w.next"))).toBe(true);
    expect(overwrites(node("MatMul", ["x", "w"], "y"), node("ReduceMean", ["y"], "g"), node("Sub", ["w", "g"], "w.next"))).toBe(true);
    expect(overwrites(node("Relu", ["x"], "w.next"))).toBe(true);
  });

  it("refuses it where a reader may run after, or reads other places than it writes", () => {
    expect(overwrites(node("MatMul", ["x", "w"], "y"), node("Sub", ["w", "step"], "w.next"))).toBe(false);
    expect(overwrites(node("MatMul", ["w", "w"], "w.next"))).toBe(false);
    expect(overwrites(node("Sub", ["w", "step"], "w.next"), node("Mul", ["w.next", "w"], "y"))).toBe(false);
  });

  it("takes who reads a view for a reader of the value", () => {
    const view = [node("Reshape", ["w", "shape"], "flat"), node("Unsqueeze", ["flat", "axes"], "column"), node("ReduceMean", ["flat"], "g"), node("Sub", ["w", "g"], "w.next")];
    expect(overwrites(...view)).toBe(false); // nothing reads the column, but nothing says that it is made before
    expect(overwrites(...view.filter(({ type }) => type !== "Unsqueeze"))).toBe(true);
    expect(overwrites(...view, node("Mul", ["column", "w.next"], "y"))).toBe(false);
  });

  it("counts what a graph inside a node reads from the one around it", () => {
    const inner = { name: "body", nodes: [node("MatMul", ["slice", "w"], "y")], initializers: [], inputs: [{ name: "slice", type: "f32" as const }], outputs: [{ name: "y", type: "f32" as const }] };
    const scan: NodeInfo = { ...node("Scan", ["x"], "ys"), attributes: { body: { graph: inner } } };
    expect(overwrites(scan, node("Sub", ["w", "step"], "w.next"))).toBe(false);
    expect(overwrites(scan, node("ReduceMean", ["ys"], "g"), node("Sub", ["w", "g"], "w.next"))).toBe(true);
  });

  it("says nothing of a value that the graph does not make", () => {
    expect(findOverwritable([], [{ old: "w", next: "v" }]).size).toBe(0);
  });

  it("is right for graphs of any form: each reader is the element-wise writer or one of the nodes it waits for", () => {
    const graphs = fc.array(fc.record({ type: fc.constantFrom("Add", "MatMul"), from: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }) }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(graphs, fc.nat(), (drawn, chosen) => {
        const names = ["w", "x", ...drawn.map((_, i) => `v${i}`)];
        const nodes = drawn.map(({ type, from }, i) => node(type, from.map((at) => names[at % (2 + i)]!), `v${i}`));
        const next = `v${chosen % nodes.length}`;
        const waitsFor = (name: string): NodeInfo[] => nodes.filter(({ outputs }) => outputs[0] === name).flatMap((one) => [one, ...one.inputs.flatMap(waitsFor)]);
        const [writer, ...before] = waitsFor(next);
        const expected = nodes.filter(({ inputs }) => inputs.includes("w")).every((reader) => before.includes(reader) || (reader === writer && reader.type === "Add"));
        expect(findOverwritable(nodes, [{ old: "w", next }]).has(next)).toBe(expected);
      }),
    );
  });
});

it("a state that is read through a reshape after its new value is known keeps its old one until then", async () => {
  const device = await openDevice({ device: "cpu" });
  const state = device.createState("s", { dtype: "f32", shape: [4] }, Float32Array.of(1, 2, 3, 4));
  const step = compile(device, "step", () => {
    const rows = reshape(state, [2, 2]);
    const next = add(state, mean(rows));
    assign(state, next);
    return { y: mul(rows, sum(next)) };
  });
  expect((await step.run({})).y!.data).toEqual(Float32Array.of(20, 40, 60, 80));
  expect((await device.readStates([state]))[0]).toEqual(Float32Array.of(3.5, 4.5, 5.5, 6.5));
  step.dispose();
  device.dispose();
});
