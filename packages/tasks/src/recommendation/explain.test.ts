import { ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel } from "@heddle/transformer";
import { describe, expect, it } from "vitest";
import { Catalogue } from "./catalogue.ts";
import { SequentialRecommender } from "./recommender.ts";

const device = new ReferenceDevice();
const itemIds = Array.from({ length: 12 }, (_, i) => `item-${i}`);
const named = (items: readonly number[]) => items.map((item) => itemIds[item]!);

function recommenderOf(options: { attendToPadding?: boolean } = {}): SequentialRecommender {
  const config = createConfig({ modelType: "sasrec", numItems: 12, vocabSize: 13, hiddenSize: 4, numHiddenLayers: 1, numAttentionHeads: 1, maxPositionEmbeddings: 5, initializerRange: 0.5, ...options });
  const model = createModel(device, architectureFor("sasrec", "next-item"), config, 3);
  return new SequentialRecommender({ model, catalogue: new Catalogue(itemIds, undefined), histories: new Map([["ann", Int32Array.of(7, 9)]]), release: () => undefined });
}

async function scoreOf(recommender: SequentialRecommender, history: readonly string[], itemId: string): Promise<number> {
  return (await recommender.recommend({ history, topK: 12, excludeSeen: false })).find((found) => found.itemId === itemId)!.score;
}

describe("explain", () => {
  // The second is longer than the window of five, and has an item twice.
  it.each([[[7, 9, 2]], [[4, 7, 9, 2, 9, 11, 3]]])("tells what the score were without each event of %j", async (items) => {
    using recommender = recommenderOf();
    const history = named(items);
    const { itemId, score, baseline, contributions, remainder } = await recommender.explain({ history, itemId: "item-5" });
    expect(itemId).toBe("item-5");
    expect(score).toBeCloseTo(await scoreOf(recommender, history, "item-5"), 5);
    expect(contributions.map(({ index }) => index).sort()).toEqual(items.map((_, index) => index).slice(-5));
    for (const { itemId: event, index, effect } of contributions) {
      expect(event).toBe(history[index]);
      expect(effect).toBeCloseTo(score - (await scoreOf(recommender, history.toSpliced(index, 1), "item-5")), 5);
    }
    const effects = contributions.map(({ effect }) => effect);
    expect(effects).toEqual(effects.toSorted((a, b) => b - a));
    expect(Math.abs(effects[0]!)).toBeGreaterThan(1e-3);
    expect(baseline + effects.reduce((sum, effect) => sum + effect, 0) + remainder).toBeCloseTo(score, 5);
  });

  it.each([true, false])("explains one event wholly, where padding is attended to: %s", async (attendToPadding) => {
    using recommender = recommenderOf({ attendToPadding });
    const { score, baseline, contributions, remainder } = await recommender.explain({ history: ["item-3"], itemId: "item-8" });
    expect(Number.isFinite(baseline)).toBe(true);
    expect(contributions).toEqual([{ itemId: "item-3", index: 0, effect: score - baseline }]);
    expect(remainder).toBe(0);
  });

  it("knows users, and names what it cannot explain", async () => {
    using recommender = recommenderOf();
    expect(await recommender.explain({ userId: "ann", itemId: "item-1" })).toEqual(await recommender.explain({ history: named([7, 9]), itemId: "item-1" }));
    await expect(recommender.explain({ history: ["item-1"], itemId: "shoe" })).rejects.toThrow('no item has the id "shoe"');
    await expect(recommender.explain({ history: ["hat"], itemId: "item-1" })).rejects.toThrow('no item has the id "hat"');
    await expect(recommender.explain({ history: [], itemId: "item-1" })).rejects.toThrow("the history is empty, so no event moved");
    await expect(recommender.explain({ userId: "bob", itemId: "item-1" })).rejects.toThrow('nothing is known of user "bob"');
    await expect(recommender.explain({ itemId: "item-1" })).rejects.toThrow("either history");
    await expect(recommender.explain({ history: ["item-1"], itemId: "item-1", signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    recommender.dispose();
    await expect(recommender.explain({ history: ["item-1"], itemId: "item-1" })).rejects.toMatchObject({ code: "DISPOSED" });
  });
});
