import { ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel } from "@heddle/transformer";
import { describe, expect, it } from "vitest";
import { Catalogue } from "./catalogue.ts";
import { diversify } from "./diversify.ts";
import { SequentialRecommender } from "./recommender.ts";

describe("diversify", () => {
  // b is a's twin, c stands at a right angle to both, d points the other way.
  const candidates = [[10, 4], [11, 3], [12, 2], [13, 0]] as const;
  const embeddings = Float32Array.of(1, 0, 2, 0, 0, 3, -1, 0);
  const chosen = (diversity: number, count = 4) => diversify(candidates, embeddings, count, diversity).map(([item]) => item);

  it("weighs relevance against likeness to what is chosen", () => {
    expect(chosen(0)).toEqual([10, 11, 12, 13]);
    // Second place at 0.3: b .7 · .75 - .3 = .225, c .7 · .5 = .35, d .3. Third: b .225, d 0, as it stands at a right angle to c.
    expect(chosen(0.3)).toEqual([10, 12, 11, 13]);
    // Too little to tell twins apart: b .85 · .75 - .15 = .4875, c .85 · .5 = .425.
    expect(chosen(0.15)).toEqual([10, 11, 12, 13]);
    expect(chosen(1)).toEqual([10, 13, 12, 11]);
    expect(chosen(1, 2)).toEqual([10, 13]);
  });

  it("takes equal scores, rows of zeros, and too few", () => {
    expect(diversify([[1, 2], [2, 2]], new Float32Array(4), 5, 0.5)).toEqual([[1, 2], [2, 2]]);
    expect(diversify([], new Float32Array(), 3, 0.5)).toEqual([]);
  });
});

describe("recommend with diversity", () => {
  const device = new ReferenceDevice();
  const itemIds = Array.from({ length: 240 }, (_, i) => `item-${i}`);
  const config = createConfig({ modelType: "sasrec", numItems: 240, vocabSize: 241, hiddenSize: 4, numHiddenLayers: 1, numAttentionHeads: 1, maxPositionEmbeddings: 5, initializerRange: 0.5 });
  const model = createModel(device, architectureFor("sasrec", "next-item"), config, 3);
  const recommender = new SequentialRecommender({ model, catalogue: new Catalogue(itemIds, itemIds.map((_, i) => i)), histories: new Map(), release: () => undefined });
  const history = ["item-7", "item-9"];

  it("is unchanged at 0, and chooses among the best otherwise", async () => {
    const plain = await recommender.recommend({ history });
    expect(await recommender.recommend({ history, diversity: 0 })).toEqual(plain);
    const all = await recommender.recommend({ history, topK: 200 });
    const table = (await device.readStates([model.parameters.get("item_embeddings.weight")!]))[0]! as Float32Array;
    const number = (itemId: string) => itemIds.indexOf(itemId);
    const embeddings = Float32Array.from(all.flatMap(({ itemId }) => [...table.subarray((number(itemId) + 1) * 4, (number(itemId) + 2) * 4)]));
    const wanted = diversify(all.map(({ itemId, score }) => [number(itemId), score]), embeddings, 10, 0.5).map(([item, score]) => ({ itemId: itemIds[item]!, score }));
    const diverse = await recommender.recommend({ history, diversity: 0.5 });
    expect(diverse).toEqual(wanted);
    expect(diverse).not.toEqual(plain);
    expect(diverse[0]).toEqual(plain[0]);
    const few = await recommender.recommend({ history, diversity: 1, filter: (itemId) => itemId.endsWith("17") });
    expect(few.map(({ itemId }) => itemId).sort()).toEqual(["item-117", "item-17", "item-217"]);
    expect(await recommender.recommend({ history, diversity: 1, filter: () => false })).toEqual([]);
    expect(await recommender.recommend({ history: [], diversity: 1, topK: 1 })).toEqual([{ itemId: "item-239", score: 239, fallback: "popularity" }]);
  });

  it.each([-0.1, 1.1, Number.NaN])("refuses %s", async (diversity) => {
    await expect(recommender.recommend({ history, diversity })).rejects.toThrow("diversity must be a number from 0");
  });
});
