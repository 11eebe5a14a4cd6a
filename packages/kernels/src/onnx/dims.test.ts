import { describe, expect, it } from "vitest";
import { broadcastsTo, sameDim, spellDim, type SymbolicDim } from "./dims.ts";

const times = (coefficient: number, ...symbols: string[]): SymbolicDim => ({ coefficient, symbols, offset: 0 });
const batch = times(1, "batch");
const length = times(1, "length");

it("dims are spelt as files name them, and are the same where their names are", () => {
  expect([3, batch, times(12, "batch", "length"), { ...length, offset: 1 }, { ...times(2, "length"), offset: -3 }].map(spellDim)).toEqual(["3", "batch", "12*batch*length", "length+1", "2*length-3"]);
  expect([sameDim(3, 3), sameDim(batch, times(1, "batch")), sameDim(batch, length), sameDim(batch, 3), sameDim(batch, times(2, "batch"))]).toEqual([true, true, false, false, false]);
});

describe("broadcastsTo", () => {
  it.each([
    ["equal shapes", [[batch, 4], [batch, 4]], [batch, 4], true],
    ["ones, and axes that one operand lacks", [[batch, 1, 4], [length, 1]], [batch, length, 4], true],
    ["an extent that no operand has", [[1, 4], [4]], [batch, 4], false],
    ["two names that may differ", [[batch, 4], [length, 4]], [batch, 4], false],
    ["a name where 1 was wanted", [[batch, 4]], [1, 4], false],
    ["scalars", [[], []], [], true],
  ])("%s", (_, shapes, wanted, answer) => {
    expect(broadcastsTo(shapes, wanted)).toBe(answer);
  });
});
