import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, openDevice, ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, type SASRecConfig } from "@heddle/transformer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Catalogue } from "./catalogue.ts";
import { planFeatures, withFeatures } from "./feature-training.ts";
import { encodeFeatures, featureNamesOf, type ItemFeatures } from "./item-features.ts";
import { SequentialRecommender } from "./recommender.ts";

const folder = await mkdtemp(join(tmpdir(), "heddle-item-features-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const kinds = ["tent", "stove", "boot"];
const kindOf = (item: number) => kinds[item % 3]!;
const itemIds = Array.from({ length: 18 }, (_, item) => `item-${item}`);
const featuresOf = (kind: string, price: number): ItemFeatures => ({ categories: [`kind:${kind}`, "any"], numbers: { price }, embedding: kinds.map((other) => Number(other === kind)) });
const itemFeatures = new Map(itemIds.slice(0, 17).map((itemId, item) => [itemId, featuresOf(kindOf(item), 10 + item)]));
/** Everyone stays with one kind. */
const interactions = {
  userIds: Array.from({ length: 36 }, (_, user) => `user-${user}`),
  itemIds,
  histories: Array.from({ length: 36 }, (_, user) => Int32Array.from({ length: 5 }, (_place, i) => (user % 3) + 3 * ((Math.floor(user / 3) + i * (1 + (user % 2))) % 6))),
};
const cpu = await openDevice({ device: "cpu" });
afterAll(() => cpu.dispose());
const small = { device: cpu, maxLength: 6, hiddenSize: 16, numHiddenLayers: 1, dropout: 0.1, batchSize: 18, learningRate: 0.01, numTrainEpochs: 15, evalEpochs: 5, itemFeatures, itemDropout: 0.4 } as const;

describe("features by a model's names", () => {
  it("are what at least two items share, and numbers on a common scale", () => {
    const features = new Map<string, ItemFeatures>([
      ["a", { categories: ["red", "red", "only-a"], numbers: { price: 1, weight: 1 } }],
      ["b", { categories: ["red"], numbers: { price: 10, same: 7 } }],
      ["c", { numbers: { price: 1000, weight: 3, same: 7 }, embedding: [3, 4] }],
    ]);
    const names = featureNamesOf(["a", "b", "c", "d"], features);
    expect(names).toMatchObject({ categories: ["red"], numbers: [{ name: "price", isLogarithm: false }, { name: "weight", isLogarithm: false, mean: 2, deviation: 1 }], embedding: { size: 2, scale: 0.2 } });
    const { encoded, unknown } = encodeFeatures([{ itemId: "e", features: { categories: ["blue", "red"], numbers: { weight: 2.5, height: 1 }, embedding: [1, 0] } }, { itemId: "f" }], names);
    expect([...encoded.starts, ...encoded.categories]).toEqual([0, 1, 1, 0]);
    expect([...encoded.values].map((value) => Math.round(value * 100) / 100)).toEqual([0, 0.5, 0.2, 0, 0, 0, 0, 0]);
    expect(unknown).toEqual([{ itemId: "e", categories: ["blue"], numbers: ["height"] }]);
  });

  it("take the logarithm of what spreads by ratios, and cut off what is far outside", () => {
    const ids = Array.from({ length: 21 }, (_, i) => String(i));
    const names = featureNamesOf(ids, new Map(ids.map((id, i) => [id, { numbers: { price: 2 ** (i / 2) } }])));
    expect(names.numbers[0]).toMatchObject({ isLogarithm: true, mean: expect.closeTo(5 * Math.log(2), 5) });
    const valueOf = (price: number) => encodeFeatures([{ itemId: "new", features: { numbers: { price } } }], names).encoded.values[0]!;
    expect(valueOf(32)).toBeCloseTo(0, 5);
    expect([valueOf(1e12), valueOf(0), valueOf(-3)]).toEqual([4, -4, -4]);
  });
});

describe("a table of items with features", () => {
  it("is baked into what the training scores with, and comes back", async () => {
    const device = new ReferenceDevice();
    using model = createModel(device, architectureFor("sasrec", "next-item"), createConfig({ modelType: "sasrec", numItems: 18, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 1, maxPositionEmbeddings: 4, initializerRange: 0.4 }), 3);
    const own = model.parameters.get("item_embeddings.weight")!;
    const [before] = await device.readStates([own]);
    const { trained, features } = withFeatures(model, planFeatures(itemIds, small)!, 3);
    const scoresOf = async (of: typeof model) => {
      using compiled = compile(device, "scores", ({ inputIds }) => ({ logits: of.forward({ inputIds: inputIds! }).logits! }));
      return [...(await compiled.run({ inputIds: { shape: [1, 4], data: Int32Array.of(0, 3, 18, 5) } }))["logits"]!.data];
    };
    const [alone, wanted] = [await scoresOf(model), await scoresOf(trained)];
    expect(wanted).not.toEqual(alone);
    await trained.bake();
    (await scoresOf(model)).forEach((score, i) => expect(score).toBeCloseTo(wanted[i]!, 4));
    await trained.restore();
    expect((await device.readStates([own]))[0]).toEqual(before);
    trained.dispose();
    features.encoder.dispose();
  });

  it("has for a new item what it has for an old one of the same features and no embedding of its own", async () => {
    const device = new ReferenceDevice();
    const model = createModel(device, architectureFor("sasrec", "next-item"), createConfig({ modelType: "sasrec", numItems: 18, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 1, maxPositionEmbeddings: 4, initializerRange: 0.4 }), 3);
    const own = model.parameters.get("item_embeddings.weight")!;
    const [table] = (await device.readStates([own])) as [Float32Array];
    own.write(table.map((value, i) => (Math.floor(i / 8) === 4 ? 0 : value))); // item 3's row
    const { trained, features } = withFeatures(model, planFeatures(itemIds, small)!, 3);
    await trained.bake();
    trained.dispose();
    using recommender = new SequentialRecommender({ model, catalogue: new Catalogue(itemIds, undefined), histories: new Map(), features, release: () => undefined });
    await recommender.addItems([{ itemId: "twin", features: itemFeatures.get("item-3")! }]);
    const scores = new Map((await recommender.recommend({ history: ["item-1", "item-5"], topK: 19 })).map(({ itemId, score }) => [itemId, score]));
    expect(scores.get("twin")).toBeCloseTo(scores.get("item-3")!, 5);
    expect((await recommender.similarItems("twin", { topK: 1 }))[0]).toEqual({ itemId: "item-3", score: expect.closeTo(1, 5) });
  });
});

describe("addItems", () => {
  let recommender: SequentialRecommender;
  beforeAll(async () => {
    recommender = await SequentialRecommender.fit(interactions, small);
  });
  afterAll(() => recommender.dispose());

  it("places a new item of the liked kind first, at once", async () => {
    const history = ["item-0", "item-3", "item-6"];
    const before = await recommender.recommend({ history, topK: 18 });
    const added = await recommender.addItems([
      { itemId: "new tent", features: featuresOf("tent", 17) },
      { itemId: "new boot", features: { ...featuresOf("boot", 17), categories: ["kind:boot", "any", "colour:red"], numbers: { price: 17, depth: 2 } } },
      { itemId: "riddle", features: { categories: ["colour:red"] } },
    ]);
    expect(added).toEqual({
      itemIds: ["new tent", "new boot", "riddle"],
      unknown: [{ itemId: "new boot", categories: ["colour:red"], numbers: ["depth"] }, { itemId: "riddle", categories: ["colour:red"], numbers: [] }],
      withoutFeatures: ["riddle"],
    });
    expect(recommender.itemIds.slice(-3)).toEqual(added.itemIds);
    const isNew = (itemId: string) => added.itemIds.includes(itemId);
    const coldFirst = async (past: string[]) => (await recommender.recommend({ history: past, topK: 21 })).map(({ itemId }) => itemId).filter(isNew)[0];
    expect(await coldFirst(history)).toBe("new tent");
    expect(await coldFirst(["item-2", "item-5", "item-8"])).toBe("new boot");
    // Nothing else moved.
    const after = (await recommender.recommend({ history, topK: 21 })).filter(({ itemId }) => !isNew(itemId));
    expect(after.map(({ itemId }) => itemId)).toEqual(before.map(({ itemId }) => itemId));
    after.forEach(({ score }, i) => expect(score).toBeCloseTo(before[i]!.score, 4));
    // All else that an item can be.
    const similar = await recommender.similarItems("new tent", { topK: 20 });
    expect(similar).toHaveLength(20);
    expect(["item-0", "item-3", "item-6", "item-9", "item-12", "item-15"]).toContain(similar[0]!.itemId);
    expect((await recommender.recommend({ history: ["new boot"], topK: 3 })).every(({ itemId }) => Number(itemId.slice(5)) % 3 === 2)).toBe(true);
    expect((await recommender.explain({ history: ["item-0", "new tent"], itemId: "item-3" })).contributions).toHaveLength(2);
    expect((await recommender.rankAll([{ history: Int32Array.of(0, 3, 6), targets: Int32Array.of(18), excluded: new Int32Array() }], 21)).top[0]).toHaveLength(21);
  });

  it("takes more than there is room for, and calls at the same time", async () => {
    const items = (from: number, count: number) => Array.from({ length: count }, (_, i) => ({ itemId: `stove-${from + i}`, features: featuresOf("stove", 12) }));
    const counted = recommender.itemIds.length;
    const asked = recommender.recommend({ history: ["item-0"], topK: 5 });
    await Promise.all([recommender.addItems(items(0, 70)), recommender.addItems(items(70, 70)), recommender.addItems([])]);
    expect(await asked).toHaveLength(5);
    expect(recommender.itemIds).toHaveLength(counted + 140);
    const found = await recommender.recommend({ history: ["item-1", "item-4"], topK: 150 });
    expect(found).toHaveLength(150);
    const scores = found.filter(({ itemId }) => itemId.startsWith("stove-")).map(({ score }) => score);
    expect(scores.length).toBeGreaterThan(100);
    for (const score of scores) expect(score).toBeCloseTo(scores[0]!, 4);
  });

  it("is kept in a folder, and goes on from there", async () => {
    await recommender.savePretrained(folder);
    using loaded = await SequentialRecommender.fromPretrained(folder, { device: cpu });
    const ask = { history: ["item-0", "new tent"], topK: 12 };
    const [saved, again] = [await recommender.recommend(ask), await loaded.recommend(ask)];
    expect(again.map(({ itemId }) => itemId)).toEqual(saved.map(({ itemId }) => itemId));
    for (const one of [recommender, loaded]) await one.addItems([{ itemId: "late boot", features: featuresOf("boot", 20) }]);
    const scoreIn = async (one: SequentialRecommender) => (await one.recommend({ history: ["item-2", "item-5"], topK: 160 })).find(({ itemId }) => itemId === "late boot")!.score;
    expect(await scoreIn(loaded)).toBeCloseTo(await scoreIn(recommender), 4);
    const names = join(folder, "item_features.json");
    const whole = await readFile(names, "utf8");
    await writeFile(names, whole.replace('"kind:boot",', ""));
    await expect(SequentialRecommender.fromPretrained(folder, { device: cpu })).rejects.toMatchObject({ code: "WEIGHTS_MISMATCH" });
    await writeFile(names, whole.replace('"deviation": ', '"deviation": -'));
    await expect(SequentialRecommender.fromPretrained(folder, { device: cpu })).rejects.toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining("item_features.json: numbers.0.deviation") });
  });

  it.each<[string, string, { itemId: string; features: ItemFeatures }[]]>([
    ["an id of the catalogue", 'has an item "item-3" already', [{ itemId: "item-3", features: {} }]],
    ["an id twice", '"x" is there twice', [{ itemId: "x", features: {} }, { itemId: "x", features: {} }]],
    ["an empty id", "an empty id", [{ itemId: "", features: {} }]],
    ["a number that is NaN", 'the number "price" of item "x" is NaN', [{ itemId: "x", features: { numbers: { price: Number.NaN } } }]],
    ["an embedding of another length", "has 2 numbers, and the model was trained with 3", [{ itemId: "x", features: { embedding: [1, 2] } }]],
    ["an embedding with infinity", "element 1 of the embedding", [{ itemId: "x", features: { embedding: [1, Infinity, 2] } }]],
  ])("refuses %s, and adds nothing", async (_, message, items) => {
    const counted = recommender.itemIds.length;
    const call = recommender.addItems([{ itemId: "good", features: featuresOf("tent", 3) }, ...items]);
    await expect(call).rejects.toMatchObject({ code: "DATA_INVALID", message: expect.stringContaining(message) });
    expect(recommender.itemIds).toHaveLength(counted);
    await expect(recommender.recommend({ history: ["good"] })).rejects.toThrow('"good"');
  });

  it("wants a model with features, and features that say something", async () => {
    const device = new ReferenceDevice();
    const model = createModel(device, architectureFor("sasrec", "next-item"), createConfig({ modelType: "sasrec", numItems: 18, hiddenSize: 4, numHiddenLayers: 1, numAttentionHeads: 1, maxPositionEmbeddings: 4 }), 3);
    using plain = new SequentialRecommender({ model, catalogue: new Catalogue(itemIds, undefined), histories: new Map(), release: () => undefined });
    await expect(plain.addItems([{ itemId: "x", features: {} }])).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("train it with itemFeatures") });
    const fit = (features: [string, ItemFeatures][], more = {}) => SequentialRecommender.fit(interactions, { ...small, ...more, itemFeatures: new Map(features) });
    await expect(fit([["item-0", { categories: ["a"] }], ["item-1", { categories: ["b"] }]])).rejects.toMatchObject({ code: "DATA_EMPTY" });
    await expect(fit([["item-0", { numbers: { price: Infinity } }]])).rejects.toMatchObject({ code: "DATA_INVALID" });
    await expect(fit([["item-0", { embedding: [1] }], ["item-1", { embedding: [1, 2] }]])).rejects.toThrow('has 2 numbers, that of "item-0" 1');
    await expect(fit([...itemFeatures], { itemDropout: 1 })).rejects.toThrow("itemDropout");
    const behind = createModel(device, architectureFor("sasrec", "next-item"), createConfig({ ...(model.config as SASRecConfig), vocabSize: 20 }), 3);
    expect(() => withFeatures(behind, planFeatures(itemIds, small)!, 1)).toThrow("rows of its own behind");
    behind.dispose();
  });

  it("takes a catalogue of one item, and numbers without categories", async () => {
    const tiny = { ...small, device: new ReferenceDevice(), hiddenSize: 4, numTrainEpochs: 1, validation: [] };
    const one = { userIds: ["ann"], itemIds: ["tea"], histories: [Int32Array.of(0, 0)] };
    using alone = await SequentialRecommender.fit(one, { ...tiny, itemFeatures: new Map([["tea", { categories: ["hot"] }]]) });
    await alone.addItems([{ itemId: "coffee", features: { categories: ["hot"] } }]);
    expect((await alone.recommend({ history: ["tea"] })).map(({ itemId }) => itemId)).toEqual(["coffee"]);
    expect(await alone.similarItems("tea", { topK: 5 })).toHaveLength(1);
    using priced = await SequentialRecommender.fit(interactions, { ...tiny, itemFeatures: new Map(itemIds.map((itemId, item) => [itemId, { numbers: { price: item } }])) });
    await priced.addItems([{ itemId: "cheap", features: { numbers: { price: 0.5 } } }]);
    expect((await priced.similarItems("cheap", { topK: 1 }))[0]!.itemId).toMatch(/^item-/);
  });
});
