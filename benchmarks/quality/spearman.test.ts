import { expect, it } from "vitest";
import { spearman } from "./spearman.ts";

it("is 1 for one order, -1 for the reverse, and shares ranks between equals as scipy does", () => {
  expect(spearman([1, 2, 3, 4], [10, 20, 30, 1000])).toBeCloseTo(1);
  expect(spearman([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1);
  // scipy.stats.spearmanr([1, 2, 2, 3, 5], [2, 1, 3, 4, 4]) = 0.7894736842105264
  expect(spearman([1, 2, 2, 3, 5], [2, 1, 3, 4, 4])).toBeCloseTo(0.7894736842105264, 12);
});
