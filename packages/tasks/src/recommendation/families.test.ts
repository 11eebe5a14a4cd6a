import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDevice } from "@heddle/kernels";
import { afterAll, describe, expect, it } from "vitest";
import { RECOMMENDER_MODELS } from "./families.ts";
import { SequentialRecommender } from "./recommender.ts";
import type { FitRecommenderOptions } from "./types.ts";

const device = await openDevice({ device: "cpu" });
const folder = await mkdtemp(join(tmpdir(), "heddle-families-"));
afterAll(async () => {
  device.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** Everyone goes round the same circle of items, from another one on, some further than others. */
const circle = {
  userIds: Array.from({ length: 24 }, (_, user) => `user-${user}`),
  itemIds: Array.from({ length: 12 }, (_, item) => `item-${item}`),
  histories: Array.from({ length: 24 }, (_, user) => Int32Array.from({ length: 4 + (user % 5) }, (_place, i) => (user + i) % 12)),
};
const small = { maxLength: 6, hiddenSize: 16, numHiddenLayers: 1, dropout: 0, batchSize: 24, learningRate: 0.02, numTrainEpochs: 25, evalEpochs: 25 } as const;
/** BERT4Rec learns at few places of a window, and wants more epochs. */
const own: Record<(typeof RECOMMENDER_MODELS)[number], FitRecommenderOptions> = {
  sasrec: { hiddenAct: "relu", intermediateSize: 20, attentionDropout: 0.1 },
  bert4rec: { maskedShare: 0.3, lastMaskedShare: 0.3, learningRate: 0.01, numTrainEpochs: 200, evalEpochs: 100 },
  hstu: {},
};

describe.each(RECOMMENDER_MODELS)("a recommender of family %s", (model) => {
  it("learns, recommends, ranks, explains, and comes back from its folder", async () => {
    using recommender = await SequentialRecommender.fit(circle, { ...small, ...own[model], model, device });
    expect([recommender.name, recommender.maxLength]).toEqual([model, 6]);
    const history = [1, 2, 3, 4, 5].map((item) => `item-${item}`);
    const best = await recommender.recommend({ history, topK: 12, excludeSeen: false });
    expect(best[0]!.itemId).toBe("item-6");
    expect(best).toHaveLength(12);
    const long = [9, 10, 11, 0, 1, 2, 3, 4, 5];
    const { ranks, top } = await recommender.rankAll([{ history: Int32Array.from(long), targets: Int32Array.of(6), excluded: new Int32Array() }, { history: Int32Array.of(7, 8, 9, 10), targets: Int32Array.of(11), excluded: new Int32Array() }], 1);
    expect([ranks, top]).toEqual([[Int32Array.of(1), Int32Array.of(1)], [Int32Array.of(6), Int32Array.of(11)]]);
    // Items of a longer history do not count.
    const named = long.map((item) => circle.itemIds[item]!);
    expect(await recommender.recommend({ history: named })).toEqual((await recommender.recommend({ history: named.slice(-6), topK: 12 })).filter(({ itemId }) => !named.includes(itemId)));
    const { score: explained, contributions, baseline, remainder } = await recommender.explain({ history, itemId: "item-6" });
    expect(explained).toBeCloseTo(best[0]!.score, 4);
    expect(contributions[0]!.itemId).toBe("item-5");
    expect(contributions.reduce((sum, { effect }) => sum + effect, baseline + remainder)).toBeCloseTo(explained, 4);
    expect(await recommender.similarItems("item-3", { topK: 20 })).toHaveLength(11);
    await recommender.savePretrained(join(folder, model));
    using loaded = await SequentialRecommender.fromPretrained(join(folder, model), { device });
    // But for the order of sums.
    for (const [i, { itemId, score }] of (await loaded.recommend({ history, topK: 12, excludeSeen: false })).entries()) {
      expect(itemId).toBe(best[i]!.itemId);
      expect(score).toBeCloseTo(best[i]!.score, 4);
    }
  });
});

describe("fit", () => {
  it("names what a family does not have", async () => {
    const fit = (options: FitRecommenderOptions) => SequentialRecommender.fit(circle, { ...small, ...options, device });
    await expect(fit({ model: "hstu", normPlacement: "pre" })).rejects.toThrow("normPlacement is of sasrec, not of hstu");
    await expect(fit({ maskedShare: 0.5 })).rejects.toThrow("maskedShare is of bert4rec, not of sasrec");
    await expect(fit({ model: "bert4rec", maskedShare: 0 })).rejects.toThrow("maskedShare must be above 0");
    await expect(fit({ model: "bert4rec", lastMaskedShare: 2 })).rejects.toThrow("lastMaskedShare must be a number from 0 to 1");
    await expect(fit({ model: "gru4rec" as "hstu" })).rejects.toThrow('model is "gru4rec": choose one of sasrec, bert4rec, hstu');
  });
});
