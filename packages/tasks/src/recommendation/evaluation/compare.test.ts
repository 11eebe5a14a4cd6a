import { describe, expect, it } from "vitest";
import { fitBaselines } from "../baselines/fit-baselines.ts";
import type { Interactions } from "../interactions.ts";
import { leaveOneOut } from "../split/leave-one-out.ts";
import { compareRecommenders, describeComparison } from "./compare.ts";
import { evaluateRecommender } from "./evaluate.ts";

/** 60 users who walk a ring of 20 items from different places: the last item tells the next one. */
const ring: Interactions = {
  userIds: Array.from({ length: 60 }, (_, i) => `u${i}`),
  itemIds: Array.from({ length: 20 }, (_, i) => `i${i}`),
  histories: Array.from({ length: 60 }, (_, user) => Int32Array.from({ length: 8 }, (_, at) => (user + at) % 20)),
};

describe("compareRecommenders", () => {
  it("tells better, worse and unclear apart, and says it plainly", async () => {
    const { train, test } = leaveOneOut(ring);
    const { baselines, leftOut } = await fitBaselines(train);
    expect(leftOut).toEqual([]);
    const evaluations = await Promise.all(baselines.map((baseline) => evaluateRecommender(baseline, test, train, { cutoffs: [1, 10] })));
    const [popularity, recency, itemKnn, markov, ease] = evaluations as [(typeof evaluations)[0], (typeof evaluations)[0], (typeof evaluations)[0], (typeof evaluations)[0], (typeof evaluations)[0]];
    expect(ease.name).toBe("ease");
    expect(markov.measures["hr@1"]).toBe(1);
    const win = compareRecommenders(markov, [popularity, recency], { measure: "hr@1" });
    expect(win).toMatchObject({ beatsAll: true, modelValue: 1 });
    expect(describeComparison(win)[0]).toBe("markov beats every baseline in hr@1");
    const loss = compareRecommenders(popularity, [itemKnn, markov, popularity]);
    expect(loss.verdicts[0]).toMatchObject({ baseline: "markov", outcome: "worse" });
    expect(loss).toMatchObject({ measure: "ndcg@10", beatsAll: false });
    expect(loss.verdicts.find(({ baseline }) => baseline === "popularity")).toMatchObject({ difference: 0, outcome: "unclear", interval: { low: 0, high: 0 } });
    expect(describeComparison(loss)[0]).toMatch(/popularity does not beat markov.* and .*popularity \(no clear difference\) in ndcg@10/);
  });

  it("compares only what was measured alike", async () => {
    const { train, validation, test } = leaveOneOut(ring);
    const [popularity] = (await fitBaselines(train)).baselines;
    const [one, other, longer] = [await evaluateRecommender(popularity!, test, train), await evaluateRecommender(popularity!, validation, train), await evaluateRecommender(popularity!, test, train, { excludeSeen: false })];
    expect(() => compareRecommenders(one, [other])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => compareRecommenders(one, [longer])).toThrow("not measured alike");
    expect(() => compareRecommenders(one, [])).toThrow("no baseline");
    expect(() => compareRecommenders(one, [one], { measure: "hr@3" })).toThrow("there are hr@5");
  });

  it("names a baseline that the catalogue is too large for", async () => {
    const { baselines, leftOut } = await fitBaselines({ ...ring, itemIds: Array.from({ length: 2001 }, (_, i) => `i${i}`) });
    expect(baselines.map(({ name }) => name)).toEqual(["popularity", "recency", "item-knn", "markov"]);
    expect(leftOut).toEqual([{ name: "ease", reason: expect.stringContaining("2001 items") }]);
  });
});
