import { describe, expect, it } from "vitest";
import type { ItemScorer } from "../evaluation/recommender.ts";
import type { Interactions } from "../interactions.ts";
import { fitItemKnn } from "./item-knn.ts";
import { fitMarkov } from "./markov.ts";
import { fitPopularity } from "./popularity.ts";
import { fitRecency } from "./recency.ts";

const log = (histories: number[][], numItems: number, times?: number[][]): Interactions => ({
  userIds: histories.map((_, i) => `u${i}`),
  itemIds: Array.from({ length: numItems }, (_, i) => `i${i}`),
  histories: histories.map((own) => Int32Array.from(own)),
  ...(times && { times: times.map((own) => Float64Array.from(own)) }),
});
const scores = async (recommender: ItemScorer, ...history: number[]) => [...(await recommender.scoreAll([Int32Array.from(history)]))];
const closeTo = (expected: number[]) => expected.map((value) => expect.closeTo(value, 5) as unknown);

const train = log([[0, 1, 2], [0, 1], [0, 3], [2, 1]], 5);

describe("baselines by hand", () => {
  it("popularity counts events", async () => {
    expect(await scores(fitPopularity(train), 3)).toEqual([3, 3, 2, 1, 0]);
  });

  it("recency halves what is older, by time or by place", async () => {
    const timed = log([[0, 1], [2]], 3, [[0, 1000], [500]]);
    expect(await scores(fitRecency(timed, { halfLifeMs: 500 }))).toEqual(closeTo([1 / 4, 1, 1 / 2]));
    expect(await scores(fitRecency(log([[0, 1, 1, 1, 1, 1]], 2)))).toEqual(closeTo([1 / 2, 1 + 2 ** (-1 / 5) + 2 ** (-2 / 5) + 2 ** (-3 / 5) + 2 ** (-4 / 5)]));
    expect(() => fitRecency(timed, { halfLifeMs: 0 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("Markov counts what followed the last item, smoothed by popularity", async () => {
    const markov = fitMarkov(train);
    const popularity = [3, 3, 2, 1, 0].map((count) => count / 9);
    expect(await scores(markov, 3, 0)).toEqual(closeTo([0, 2, 0, 1, 0].map((count, item) => (count + popularity[item]!) / 4)));
    expect(await scores(markov)).toEqual(closeTo(popularity));
    expect(await scores(markov, 4)).toEqual(closeTo(popularity));
  });

  it("item-kNN sums cosines with the history's items; popularity ranks the rest", async () => {
    const knn = fitItemKnn(train);
    // Users of each item: 0 {0 1 2}, 1 {0 1 3}, 2 {0 3}, 3 {2}, 4 {}.
    const popularity = [3, 3, 2, 1, 0].map((count) => (0.5 * count) / 9);
    expect(await scores(knn, 0)).toEqual(closeTo([0, 2 / 3, 1 / Math.sqrt(6), 1 / Math.sqrt(3), 0].map((value, item) => value + popularity[item]!)));
    expect(await scores(knn)).toEqual(closeTo(popularity));
    expect(await scores(fitItemKnn(train, { numNeighbors: 1 }), 0)).toEqual(closeTo([0, 2 / 3, 0, 0, 0].map((value, item) => value + popularity[item]!)));
    expect(() => fitItemKnn(train, { numNeighbors: 0 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("answer several histories at once, a new user, and a catalogue of one item", async () => {
    for (const fit of [fitPopularity, fitRecency, fitMarkov, fitItemKnn]) {
      const recommender = fit(train);
      const both = await recommender.scoreAll([Int32Array.of(0, 3), Int32Array.of()]);
      expect([...both]).toEqual([...(await scores(recommender, 0, 3)), ...(await scores(recommender))]);
      expect([...both].every(Number.isFinite)).toBe(true);
      expect((await scores(fit(log([[0], [0, 0]], 1)), 0)).every(Number.isFinite)).toBe(true);
    }
  });
});
