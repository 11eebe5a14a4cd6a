import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planBatches } from "./batches.ts";

const sizesOf = (count: number, largest?: number) => planBatches(new Array<number>(count).fill(10), largest).map(({ batchSize, rowNumbers }) => [batchSize, rowNumbers.length]);

describe("planBatches", () => {
  it("takes few sizes and little padding", () => {
    expect(sizesOf(0)).toEqual([]);
    expect(sizesOf(1)).toEqual([[1, 1]]);
    expect(sizesOf(3)).toEqual([[1, 1], [1, 1], [1, 1]]);
    expect(sizesOf(5)).toEqual([[8, 5]]);
    expect(sizesOf(41)).toEqual([[32, 32], [8, 8], [1, 1]]);
    expect(sizesOf(30)).toEqual([[32, 30]]);
    expect(sizesOf(5, 4)).toEqual([[4, 4], [1, 1]]);
    expect(sizesOf(70, 64)).toEqual([[64, 64], [8, 6]]);
  });

  it("keeps long texts out of batches of short ones", () => {
    expect(planBatches([256, 5, 7, 9, 6, 30])).toEqual([
      { rowNumbers: [1, 4, 2, 3, 5], batchSize: 8 },
      { rowNumbers: [0], batchSize: 1 },
    ]);
  });

  it("has every row once, sorted by length", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 512 }), { maxLength: 200 }), fc.integer({ min: 1, max: 64 }), (lengths, largest) => {
        const batches = planBatches(lengths, largest);
        const rows = batches.flatMap(({ rowNumbers }) => rowNumbers);
        expect([...rows].sort((a, b) => a - b)).toEqual(lengths.map((_, row) => row));
        for (let i = 1; i < rows.length; i++) expect(lengths[rows[i]!]).toBeGreaterThanOrEqual(lengths[rows[i - 1]!]!);
        for (const { rowNumbers, batchSize } of batches) expect(rowNumbers.length).toBeLessThanOrEqual(batchSize);
      }),
    );
  });
});
