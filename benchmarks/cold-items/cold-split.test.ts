import { describe, expect, it } from "vitest";
import { attributePopularity, attributeProfile, chanceOf, coldSplit, popularity, recallOf } from "./cold-split.ts";

const itemIds = ["a", "b", "cold", "d"];
const log = { userIds: ["u", "v", "w"], itemIds, histories: [Int32Array.of(0, 2, 1, 3), Int32Array.of(0, 1, 2), Int32Array.of(2, 3)] };

describe("coldSplit", () => {
  it("trains without cold items and without what is asked for", () => {
    const { coldIds, train, validation, cold, warm } = coldSplit(log, (item) => item === 2);
    expect([coldIds, train.itemIds]).toEqual([["cold"], ["a", "b", "d"]]);
    expect(train.histories.map((history) => [...history])).toEqual([[0], [0], [2]]);
    expect(validation).toEqual([{ history: Int32Array.of(0), target: 1 }, { history: Int32Array.of(0), target: 1 }]);
    expect(cold).toEqual([{ history: ["a", "b"], target: "cold" }]);
    expect(warm).toEqual([{ history: ["a", "cold", "b"], target: "d" }]);
  });
});

describe("recall of cold items", () => {
  const queries = [{ history: ["a", "b"], target: "cold" }];
  const among = { whole: itemIds.map(() => true), cold: itemIds.map((itemId) => itemId === "cold") };
  const attributes = new Map([["a", ["x"]], ["b", ["y"]], ["cold", ["x", "z"]], ["d", ["z"]]]);
  const counts = new Map([["a", 4], ["b", 9], ["d", 1]]);

  it("counts what stands before, seen items aside", () => {
    expect(recallOf(queries, itemIds, popularity(itemIds, counts), among, 1)).toEqual({ whole: 0, cold: 1 });
    expect(recallOf(queries, itemIds, () => [0, 0, 0, 0], among, 1)).toEqual({ whole: 0.5, cold: 1 });
    expect(recallOf(queries, itemIds, attributePopularity(itemIds, attributes, counts), among, 1)).toEqual({ whole: 1, cold: 1 });
    expect(recallOf(queries, itemIds, attributeProfile(itemIds, attributes), among, 1)).toEqual({ whole: 1, cold: 1 });
    expect([chanceOf(queries, itemIds, 1), chanceOf(queries, ["cold"], 20)]).toEqual([0.5, 1]);
  });
});
