import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Interactions } from "../interactions.ts";
import type { RankingQuery } from "../split/split.ts";
import { bootstrapMeans } from "./bootstrap.ts";
import { drawCandidates } from "./candidates.ts";
import { evaluateRecommender } from "./evaluate.ts";
import { gini } from "./lists.ts";
import { measuresAt } from "./measures.ts";
import { ranksOf, topItems } from "./ranking.ts";
import type { ItemRanker, ItemScorer } from "./recommender.ts";

const ints = (...values: number[]) => Int32Array.from(values);
const log = (histories: number[][], numItems: number): Interactions => ({ userIds: histories.map((_, i) => `u${i}`), itemIds: Array.from({ length: numItems }, (_, i) => `i${i}`), histories: histories.map((own) => Int32Array.from(own)) });
const query = (user: number, history: number[], ...targets: number[]): RankingQuery => ({ user, history: Int32Array.from(history), targets: Int32Array.from(targets) });
const scorer = (rows: (history: Int32Array) => number[]): ItemScorer => ({ name: "test", scoreAll: (histories) => Float32Array.from(histories.flatMap((history) => rows(history))) });

describe("measures", () => {
  it("by hand: one target, and three targets of which two are in the list", () => {
    expect(measuresAt(ints(3), 5)).toEqual([1, 0.5, 1 / 3, 1, 1 / 3]);
    expect(measuresAt(ints(6), 5)).toEqual([0, 0, 0, 0, 0]);
    const [hr, ndcg, mrr, recall, map] = measuresAt(ints(2, 4, 9), 5);
    expect([hr, mrr, recall]).toEqual([1, 1 / 2, 2 / 3]);
    expect(ndcg).toBeCloseTo((1 / Math.log2(3) + 1 / Math.log2(5)) / (1 + 1 / Math.log2(3) + 1 / Math.log2(4)), 12);
    expect(map).toBeCloseTo((1 / 2 + 2 / 4) / 3, 12);
  });

  it("lie between 0 and 1, grow with better ranks, and are 1 for the ideal ranking where it fits", () => {
    fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 20 }), (unsorted, k) => {
      const ranks = Int32Array.from(unsorted).sort();
      const measures = measuresAt(ranks, k);
      const ideal = measuresAt(Int32Array.from(ranks, (_, i) => i + 1), k);
      measures.forEach((value, i) => {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(ideal[i]! + 1e-12);
      });
      [ideal[0], ideal[1], ideal[2], ideal[4]].forEach((value) => expect(value).toBeCloseTo(1, 12));
      expect(ideal[3]).toBeCloseTo(Math.min(k, ranks.length) / ranks.length, 12);
    }));
  });
});

describe("ranking", () => {
  it("ranks equal scores by item, and leaves excluded items out", () => {
    const scores = Float32Array.of(1, 5, 3, 3, 3, 0);
    expect(ranksOf(scores, ints(3), ints(), "x")).toEqual({ ranks: ints(3), isTied: true });
    expect(ranksOf(scores, ints(3), ints(1, 2), "x")).toEqual({ ranks: ints(1), isTied: true });
    expect(ranksOf(scores, ints(0), ints(), "x")).toEqual({ ranks: ints(5), isTied: false });
    expect([...topItems(scores, 4)]).toEqual([1, 2, 3, 4]);
    expect([...topItems(Float32Array.of(-Infinity, 2, -Infinity), 3)]).toEqual([1]);
    expect(() => ranksOf(Float32Array.of(1, Number.NaN), ints(0), ints(), "x")).toThrow(expect.objectContaining({ code: "VALUE_OUT_OF_RANGE", message: expect.stringContaining("item number 1") }));
    expect(() => ranksOf(Float32Array.of(1, Number.NaN), ints(1), ints(), "x")).toThrow("item number 1");
  });

  it("agrees with sorting", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 20 }), fc.nat(), fc.uniqueArray(fc.nat(19)), (values, at, away) => {
      const scores = Float32Array.from(values);
      const target = at % scores.length;
      const excluded = away.filter((item) => item !== target && item < scores.length);
      const order = values.map((_, item) => item).filter((item) => !excluded.includes(item)).sort((a, b) => values[b]! - values[a]! || a - b);
      expect(ranksOf(scores, ints(target), Int32Array.from(excluded), "x").ranks[0]).toBe(order.indexOf(target) + 1);
      for (const item of excluded) scores[item] = -Infinity;
      expect([...topItems(scores, 7)]).toEqual(order.slice(0, 7));
    }));
  });
});

describe("lists", () => {
  it("Gini by hand", () => {
    expect(gini(Float64Array.of(2, 2, 2))).toBeCloseTo(0, 12);
    expect(gini(Float64Array.of(0, 0, 0, 4))).toBeCloseTo(0.75, 12);
    expect(gini(Float64Array.of(1, 3))).toBeCloseTo(0.25, 12);
    expect(gini(Float64Array.of(0, 0))).toBe(0);
  });
});

describe("bootstrap", () => {
  it("holds the mean, narrows with more queries, repeats itself by its seed", () => {
    const values = (length: number) => Float64Array.from({ length }, (_, i) => (i % 4 === 0 ? 1 : 0));
    const [few] = bootstrapMeans(values(40), 1);
    const [many] = bootstrapMeans(values(4000), 1, { resamples: 200 });
    for (const { low, high } of [few!, many!]) {
      expect(low).toBeLessThan(0.25);
      expect(high).toBeGreaterThan(0.25);
    }
    // The normal approximation is 1.96 √(p (1 - p) / n) on either side.
    expect(many!.high - many!.low).toBeCloseTo(2 * 1.96 * Math.sqrt((0.25 * 0.75) / 4000), 2);
    expect(few!.high - few!.low).toBeGreaterThan(5 * (many!.high - many!.low));
    expect(bootstrapMeans(values(40), 1)).toEqual([few]);
    expect(bootstrapMeans(values(40), 1, { seed: 7 })).not.toEqual([few]);
  });
});

describe("sampled candidates", () => {
  it("are distinct, free, and the same for a user", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), fc.nat(5), (numItems, count, taken) => {
      const away = Int32Array.from({ length: Math.min(taken, numItems) }, (_, i) => i);
      const drawn = drawCandidates(numItems, count, [away], 1, 2);
      expect(drawn.length).toBe(Math.min(count, numItems - away.length));
      expect(new Set(drawn).size).toBe(drawn.length);
      expect(drawn.every((item) => item >= away.length && item < numItems)).toBe(true);
      expect(drawCandidates(numItems, count, [away], 1, 2)).toEqual(drawn);
    }));
  });
});

describe("evaluateRecommender", () => {
  const train = log([[0, 1], [0, 2], [0]], 5);
  const descending = scorer(() => [5, 4, 3, 2, 1]);

  it("by hand: ranks with seen items excluded, segments, lists", async () => {
    const result = await evaluateRecommender(descending, [query(0, [0, 1], 3), query(1, [0, 2, 0], 4)], train, { cutoffs: [1, 2], coldUserEvents: 2, coldItemEvents: 0 });
    // Query 0: candidates 2 3 4, target 3 is second. Query 1: candidates 1 3 4, target 4 is third.
    expect(result.measures).toMatchObject({ "hr@1": 0, "hr@2": 0.5, "mrr@2": 0.25, "recall@2": 0.5, "map@2": 0.25 });
    expect(result.measures["ndcg@2"]).toBeCloseTo(0.5 / Math.log2(3), 12);
    expect(result).toMatchObject({ numQueries: 2, numTargets: 2, ranking: "full", repeatedTargets: 0, tiedShare: 0 });
    expect(result.segments.coldUsers).toMatchObject({ numQueries: 1, measures: { "hr@2": 1 } });
    expect(result.segments.warmUsers).toMatchObject({ numQueries: 1, measures: { "hr@2": 0 } });
    expect(result.segments.coldItems.numQueries).toBe(2);
    expect(result.segments.warmItems).toEqual({ numQueries: 0, numTargets: 0, measures: null });
    // Lists of two: [2, 3] and [1, 3].
    const { coverage, novelty, diversity } = result.lists["2"]!;
    expect(coverage).toBe(3 / 5);
    expect(novelty).toBeCloseTo((-Math.log2(2 / 4) * 2 - Math.log2(1 / 4) * 2) / 4, 12);
    expect(diversity).toBe(1);
  });

  it("drops targets that the user had, unless seen items may come again", async () => {
    const queries = [query(0, [0, 1], 1, 2), query(1, [0], 0)];
    expect(await evaluateRecommender(descending, queries, train)).toMatchObject({ numQueries: 1, numTargets: 1, repeatedTargets: 2, measures: { "mrr@5": 1 } });
    expect(await evaluateRecommender(descending, queries, train, { excludeSeen: false })).toMatchObject({ numQueries: 2, numTargets: 3, repeatedTargets: 0, measures: { "mrr@5": (1 / 2 + 1) / 2 } });
    await expect(evaluateRecommender(descending, [query(1, [0], 0)], train)).rejects.toMatchObject({ code: "DATA_EMPTY", message: expect.stringContaining("excludeSeen: false") });
  });

  it("says that sampled ranking is sampled; it flatters", async () => {
    const many = log([[0]], 1000);
    const reversed = scorer(() => Array.from({ length: 1000 }, (_, i) => i));
    const queries = Array.from({ length: 20 }, (_, user) => query(user, [0], 900));
    const full = await evaluateRecommender(reversed, queries, many);
    const sampled = await evaluateRecommender(reversed, queries, many, { sampledCandidates: 20 });
    expect([full.ranking, sampled.ranking]).toEqual(["full", "sampled"]);
    expect(full.measures["hr@10"]).toBe(0);
    expect(sampled.measures["hr@10"]).toBeGreaterThan(0.9);
  });

  it("takes ranks from a recommender that makes them itself, in batches", async () => {
    const sizes: number[] = [];
    const ranker: ItemRanker = {
      name: "ranker",
      rankAll(requests) {
        sizes.push(requests.length);
        return { ranks: requests.map(({ targets }) => targets.map(() => 2)), top: requests.map(() => ints(1, 2)) };
      },
    };
    const wide = log([[0]], 200_000);
    const result = await evaluateRecommender(ranker, Array.from({ length: 100 }, (_, user) => query(user, [0], 3)), wide, { resamples: 10, cutoffs: [2] });
    expect(result).toMatchObject({ measures: { "mrr@2": 0.5 }, tiedShare: null });
    expect(sizes).toEqual([41, 41, 18]);
    await expect(evaluateRecommender(ranker, [query(0, [], 1)], train, { sampledCandidates: 5 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("has a catalogue of one item, refuses what makes no sense, and stops", async () => {
    expect(await evaluateRecommender(scorer(() => [1]), [query(0, [], 0)], log([[0]], 1))).toMatchObject({ measures: { "hr@5": 1 }, lists: { 5: { coverage: 1, diversity: null } } });
    await expect(evaluateRecommender(descending, [], train)).rejects.toMatchObject({ code: "DATA_EMPTY" });
    await expect(evaluateRecommender(descending, [query(0, [], 0)], train, { cutoffs: [0] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(evaluateRecommender(scorer(() => [1, 2]), [query(0, [], 0)], train)).rejects.toMatchObject({ code: "SHAPE_MISMATCH" });
    await expect(evaluateRecommender(scorer(() => [1, 2, Number.NaN, 4, 5]), [query(0, [], 0)], train)).rejects.toMatchObject({ code: "VALUE_OUT_OF_RANGE" });
    await expect(evaluateRecommender(descending, [query(0, [], 0)], train, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });
});
