import { describe, expect, it } from "vitest";
import { add, mul } from "../ops/elementwise/arithmetic.ts";
import { concat } from "../ops/movement/concat.ts";
import { slice } from "../ops/movement/slice.ts";
import { mean, sum } from "../ops/reduce/op.ts";
import { reshape } from "../ops/reshape/op.ts";
import { trace, type TracedFunction } from "../program/trace.ts";
import type { Shape } from "../program/types.ts";
import { spellDim } from "./dims.ts";
import { SymbolicProgram } from "./symbolic-program.ts";

const program = (fn: TracedFunction, shapes: Record<string, Shape>) => trace("f", Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { dtype: "f32", shape }])), fn);

/** Traces with x [batch, length, 4] at some shapes. */
const symbolic = (fn: TracedFunction, shapes: readonly (readonly [batch: number, length: number])[] = [[3, 5], [5, 7], [13, 11]]) =>
  new SymbolicProgram(shapes.map(([batch, length]) => program(fn, { x: [batch, length, 4] })), (_, axis) => ["batch", "length"][axis]!);

const dimsOfOutput = (one: SymbolicProgram) => one.dimsOf(one.base.outputs.get("y")!).map(spellDim);

describe("SymbolicProgram", () => {
  it("finds the axes that differ, and how other extents follow from them", () => {
    const shapes: [TracedFunction, string[]][] = [
      [({ x }) => ({ y: add(x!, 1) }), ["batch", "length", "4"]],
      [({ x }) => ({ y: reshape(x!, [x!.shape[0]! * x!.shape[1]!, 4]) }), ["batch*length", "4"]],
      [({ x }) => ({ y: reshape(x!, [-1]) }), ["4*batch*length"]],
      [({ x }) => ({ y: slice(x!, { axis: 1, begin: 1 }) }), ["batch", "length-1", "4"]],
      [({ x }) => ({ y: concat([x!, slice(x!, { axis: 1, begin: 0, end: 2 })], 1) }), ["batch", "length+2", "4"]],
      [({ x }) => ({ y: slice(concat([x!, x!, x!], 1), { axis: 1, begin: 1, end: 1 + x!.shape[1]! * 2 }) }), ["batch", "2*length", "4"]],
      [({ x }) => ({ y: concat([x!, x!], 0) }), ["2*batch", "length", "4"]],
      [({ x }) => ({ y: slice(concat([x!, x!], 1), { axis: 1, begin: 1 }) }), ["batch", "2*length-1", "4"]],
    ];
    for (const [fn, dims] of shapes) expect(dimsOfOutput(symbolic(fn))).toEqual(dims);
    expect(symbolic(shapes[0]![0]).symbols).toEqual([{ name: "batch", input: "x", axis: 0 }, { name: "length", input: "x", axis: 1 }]);
  });

  it("has no symbols for one shape, and one for axes that always agree", () => {
    const fn: TracedFunction = ({ a, b }) => ({ y: add(a!, b!) });
    expect(new SymbolicProgram([program(fn, { a: [2, 3], b: [2, 3] })]).symbols).toEqual([]);
    const two = new SymbolicProgram([2, 5].map((n) => program(fn, { a: [n, 3], b: [n, 3] })));
    expect(two.symbols).toEqual([{ name: "a.0", input: "a", axis: 0 }]);
  });

  it("reads no extent from an input that nothing reads", () => {
    const two = new SymbolicProgram([2, 5].map((n) => program(({ b }) => ({ y: mul(b!, 2) }), { a: [n], b: [n] })));
    expect(two.symbols).toEqual([{ name: "b.0", input: "b", axis: 0 }]);
  });

  it("explains constants by an extent, a product of extents or their reciprocals", () => {
    const valueOf = (fn: TracedFunction) => {
      const one = symbolic(fn);
      return one.base.nodes.filter(({ op }) => op.name === "constant").map((node) => one.constantOf(node));
    };
    const dim = (...symbols: string[]) => ({ coefficient: 1, symbols, offset: 0 });
    expect(valueOf(({ x }) => ({ y: mean(x!, { axes: [1] }) }))).toEqual([{ scale: expect.closeTo(1, 12), dim: dim("length"), reciprocal: true }]);
    expect(valueOf(({ x }) => ({ y: mean(x!) }))).toEqual([{ scale: expect.closeTo(0.25, 12), dim: dim("batch", "length"), reciprocal: true }]);
    expect(valueOf(({ x }) => ({ y: mul(x!, 3 * x!.shape[0]!) }))).toEqual([{ scale: 3, dim: dim("batch"), reciprocal: false }]);
    expect(valueOf(({ x }) => ({ y: mul(x!, 0.5) }))).toEqual([0.5]);
  });

  it("covers a shape for which everything that was asked comes out the same", () => {
    const fn: TracedFunction = ({ x }) => ({ y: mul(slice(x!, { axis: 1, begin: 0, end: Math.ceil(x!.shape[1]! / 2) }), 2) });
    const one = new SymbolicProgram([program(fn, { x: [2, 4, 4] })]);
    dimsOfOutput(one);
    expect(one.covers(program(fn, { x: [2, 4, 4] }))).toBe(true);
    expect(one.covers(program(fn, { x: [3, 4, 4] }))).toBe(false);
    const general = symbolic(({ x }) => ({ y: sum(x!, { axes: [1] }) }));
    dimsOfOutput(general);
    expect(general.covers(program(({ x }) => ({ y: sum(x!, { axes: [1] }) }), { x: [9, 1, 4] }))).toBe(true);
    expect(general.covers(program(({ x }) => ({ y: sum(x!, { axes: [1] }) }), { x: [9, 1, 5] }))).toBe(false);
    expect(general.covers(program(({ x }) => ({ y: sum(x!, { axes: [0] }) }), { x: [9, 1, 4] }))).toBe(false);
  });

  it("does not take two axes for one because they agreed so far", () => {
    const fn: TracedFunction = ({ x }) => ({ y: add(x!, 1) });
    const square = symbolic(fn, [[2, 2], [3, 3]]);
    dimsOfOutput(square);
    expect(square.covers(program(fn, { x: [5, 5, 4] }))).toBe(true);
    expect(square.covers(program(fn, { x: [5, 6, 4] }))).toBe(false);
  });

  it("refuses what does something else at another shape, and names it", () => {
    expect(() => symbolic(({ x }) => ({ y: x!.shape[0] === 3 ? add(x!, 1) : mul(x!, 2) }))).toThrow(expect.objectContaining({ code: "DYNAMIC_SHAPE", message: expect.stringContaining("another program at another shape") }));
    const halved = symbolic(({ x }) => ({ y: slice(x!, { axis: 1, begin: 0, end: Math.ceil(x!.shape[1]! / 2) }) }));
    expect(() => dimsOfOutput(halved)).toThrow(expect.objectContaining({ code: "DYNAMIC_SHAPE", message: expect.stringContaining("slice has the sizes 3 and 4 and 6") }));
    const square = symbolic(({ x }) => ({ y: mul(x!, x!.shape[0]! ** 3 + 1) }));
    expect(() => square.constantOf(square.base.nodes.find(({ op }) => op.name === "constant")!)).toThrow(expect.objectContaining({ code: "DYNAMIC_SHAPE", message: expect.stringContaining("28 and 126 and 2198") }));
  });
});
