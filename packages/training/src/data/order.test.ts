import { describe, expect, it } from "vitest";
import { epochOrder } from "./order.ts";

const lengths = Array.from({ length: 1003 }, (_, i) => 3 + ((i * 7919) % 97));
const base = { lengths, batchSize: 8, seed: 42, epoch: 0 };
const paddingOf = (batches: number[][]) => batches.reduce((total, rows) => total + rows.length * Math.max(...rows.map((row) => lengths[row]!)) - rows.reduce((sum, row) => sum + lengths[row]!, 0), 0);

describe.each([false, true])("epochOrder, groupByLength %s", (groupByLength) => {
  const order = (options = {}) => epochOrder({ ...base, groupByLength, ...options });

  it("visits every row once, in batches of which at most one is short", () => {
    const batches = order();
    expect(batches.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    expect(batches.filter((rows) => rows.length !== 8).map((rows) => rows.length)).toEqual([1003 % 8]);
  });

  it("is a function of its arguments alone, and differs by seed and epoch", () => {
    expect(order()).toEqual(order());
    expect(order({ epoch: 1 })).not.toEqual(order());
    expect(order({ seed: 43 })).not.toEqual(order());
  });

  it("puts every row anywhere", () => {
    // Where row 0 lands over 400 seeds: mean of the middle, within five standard deviations of a uniform draw.
    const places = Array.from({ length: 400 }, (_, seed) => order({ seed, lengths: lengths.slice(0, 100) }).findIndex((rows) => rows.includes(0)) / 12);
    const mean = places.reduce((a, b) => a + b) / places.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / 400));
  });
});

it("pads several times less when grouping by length", () => {
  expect(paddingOf(epochOrder({ ...base, groupByLength: true })) * 5).toBeLessThan(paddingOf(epochOrder({ ...base, groupByLength: false })));
});

it("handles fewer rows than a batch and no rows", () => {
  expect(epochOrder({ ...base, lengths: [5, 5], groupByLength: true }).flat().sort()).toEqual([0, 1]);
  expect(epochOrder({ ...base, lengths: [], groupByLength: false })).toEqual([]);
});
