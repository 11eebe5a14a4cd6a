import { describe, expect, it } from "vitest";
import { globalNorm } from "../ops/optimizer/global-norm.ts";
import { exp, tanh } from "../ops/elementwise/unary.ts";
import { mul } from "../ops/elementwise/arithmetic.ts";
import { sum } from "../ops/reduce/op.ts";
import { reshape } from "../ops/reshape/op.ts";
import { fuse } from "./fusion.ts";
import { findNeighbours } from "./neighbours.ts";
import { ownerKey, type Tensor } from "./tensor.ts";
import { trace } from "./trace.ts";

/** The place of each tensor that a function gives to globalNorm: [neighbourhood, offset], or null. */
function placesOf(shapes: readonly number[][], fn: (inputs: Tensor[]) => Tensor[]): (readonly [number, number] | null)[] {
  let wanted: Tensor[] = [];
  const types = Object.fromEntries(shapes.map((shape, i) => [`x${i}`, { dtype: "f32" as const, shape }]));
  const program = trace("test", types, (inputs) => {
    wanted = fn(Object.values(inputs));
    return { norm: globalNorm(wanted), again: globalNorm(wanted.slice(0, 1)) };
  });
  const neighbours = findNeighbours(fuse(program, 7), { alignment: 256 });
  const seen: unknown[] = [];
  return wanted.map((tensor) => {
    const place = neighbours.get(ownerKey(tensor));
    if (!place) return null;
    if (!seen.includes(place.neighbourhood)) seen.push(place.neighbourhood);
    return [seen.indexOf(place.neighbourhood), place.offsetBytes] as const;
  });
}

describe("findNeighbours", () => {
  it("lays results next to each other in the order of their birth, on the alignment", () => {
    expect(placesOf([[3], [100], [4]], ([a, b, c]) => [exp(c!), tanh(a!), exp(b!)])).toEqual([[0, 0], [0, 256], [0, 512]]);
    expect(placesOf([[3], [100], [4]], ([a, b, c]) => [a!, b!, c!].map(exp).reverse())).toEqual([[0, 768], [0, 256], [0, 0]]);
  });

  it("gives a tensor one place: views are where their owner is, inputs where they are", () => {
    expect(placesOf([[6]], ([a]) => {
      const y = exp(a!);
      return [y, reshape(y, [2, 3]), mul(y, 2), a!, sum(a!)];
    })).toEqual([[0, 0], [0, 0], [0, 256], null, [0, 512]]);
  });

  it("begins another neighbourhood where one would hold too much at once", () => {
    const large = [3 * 1024, 1024];
    expect(placesOf([large, large, [8]], (inputs) => inputs.map(exp))).toEqual([[0, 0], [1, 0], [1, 4 * 3 * 1024 * 1024]]);
  });
});
