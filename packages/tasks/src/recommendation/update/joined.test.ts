import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDevice } from "@heddle/kernels";
import { afterAll, describe, expect, it } from "vitest";
import { RECOMMENDER_MODELS } from "../families.ts";
import { SequentialRecommender } from "../recommender.ts";
import { customers, settings, visits } from "../testing/shop.ts";

// Updates beside what else a recommender can do: each family, and items that are added.

const device = await openDevice({ device: "cpu" });
const folder = await mkdtemp(join(tmpdir(), "heddle-joined-"));
afterAll(async () => {
  device.dispose();
  await rm(folder, { recursive: true, force: true });
});
const small = { device, maxLength: 6, hiddenSize: 8, numHiddenLayers: 1, dropout: 0.1, batchSize: 32, learningRate: 0.01, numTrainEpochs: 2, evalEpochs: 2, updates: { ...settings, maxItemShare: 1 } } as const;

describe("update", () => {
  it.each(RECOMMENDER_MODELS.filter((model) => model !== "sasrec"))("learns as %s does", async (model) => {
    using recommender = await SequentialRecommender.fit(customers, { ...small, model });
    const before = await recommender.recommend({ history: ["item-3"] });
    const { learning } = await recommender.update(visits(0, 40, 5), { learn: "now" });
    expect(learning).toMatchObject({ numSteps: expect.any(Number), before: { earlier: expect.any(Number) }, after: { earlier: expect.any(Number), recent: expect.any(Number) } });
    expect(learning!.numSteps).toBeGreaterThan(4);
    expect(learning!.generation).toBe(Number(learning!.accepted));
    if (!learning!.accepted) expect(await recommender.recommend({ history: ["item-3"] })).toEqual(before);
  });

  it("learns of added items, in a table that grew and in its spare rows, and more can be added after it", async () => {
    const kindOf = (item: number) => ({ categories: [item < 30 ? "old" : "new"] });
    using recommender = await SequentialRecommender.fit(customers, { ...small, hiddenSize: 16, numTrainEpochs: 10, evalEpochs: 10, heldOutEpochs: 0, updates: { ...small.updates, learningRate: 0.0005 }, itemFeatures: new Map(customers.itemIds.map((itemId, item) => [itemId, kindOf(item)])) });
    // All go where customers go, but some of them on to the item that was added last.
    const clicks = (added: string) => Array.from({ length: 84 }, (_, user) => [0, 1, 2, 3, 4].map((step) => ({ userId: `${added}-${user}`, itemId: step === 4 && user % 7 === 0 ? added : `item-${(user % 28) + step}` }))).flat();
    /** How far an item's score is above those of all items, on average. */
    const liftOf = async (itemId: string) => {
      const all = await recommender.recommend({ history: ["item-7", "item-8", "item-9", "item-10"], topK: 45 });
      return all.find((found) => found.itemId === itemId)!.score - all.reduce((sum, { score }) => sum + score / all.length, 0);
    };
    for (const itemId of ["kettle", "lamp"]) {
      await recommender.addItems([{ itemId, features: kindOf(39) }]);
      const [before, similar] = [await liftOf(itemId), await recommender.similarItems(itemId, { topK: 3 })];
      const { accepted, learning } = await recommender.update(clicks(itemId), { learn: "now" });
      expect(accepted).toBe(420);
      expect(learning, JSON.stringify(learning)).toMatchObject({ accepted: true, after: { recent: expect.any(Number) } });
      expect(await recommender.recommend({ userId: `${itemId}-7`, topK: 45 })).not.toContainEqual(expect.objectContaining({ itemId }));
      expect(await liftOf(itemId)).toBeGreaterThan(before);
      expect(await recommender.similarItems(itemId, { topK: 3 })).not.toEqual(similar);
    }
    // At the same time: a call waits for the round that is under way, and events of the item are taken once it is there.
    const [, { itemIds }] = await Promise.all([recommender.update(visits(0, 40, 5), { learn: "now" }), recommender.addItems([{ itemId: "rope", features: kindOf(1) }]), recommender.recommend({ history: ["lamp"] })]);
    expect(itemIds).toEqual(["rope"]);
    expect((await recommender.update([{ userId: "late", itemId: "rope" }])).accepted).toBe(1);
    // Weights from before the item know nothing of it.
    expect((await recommender.rollback()).changed).toBe(false);
    await recommender.savePretrained(folder);
    using loaded = await SequentialRecommender.fromPretrained(folder, { device });
    const ask = { history: ["kettle", "rope"], topK: 5 };
    expect((await loaded.recommend(ask)).map(({ itemId }) => itemId)).toEqual((await recommender.recommend(ask)).map(({ itemId }) => itemId));
    expect((await loaded.addItems([{ itemId: "cup", features: kindOf(2) }])).withoutFeatures).toEqual([]);
  });
});
