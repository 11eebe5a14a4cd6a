import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDevice, ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, memorySource, SafetensorsReader } from "@heddle/transformer";
import { afterAll, describe, expect, it } from "vitest";
import { Catalogue } from "./catalogue.ts";
import { evaluateRecommender } from "./evaluation/evaluate.ts";
import type { ItemScorer } from "./evaluation/recommender.ts";
import { SequentialRecommender } from "./recommender.ts";
import { Scorer } from "./scorer.ts";
import { leaveOneOut } from "./split/leave-one-out.ts";

const device = new ReferenceDevice();
const folder = await mkdtemp(join(tmpdir(), "heddle-recommender-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const ids = (count: number) => Array.from({ length: count }, (_, i) => `item-${i}`);
const tiny = { modelType: "sasrec", hiddenSize: 4, numHiddenLayers: 1, numAttentionHeads: 1, maxPositionEmbeddings: 5, initializerRange: 0.5 } as const;
const modelOf = (numItems: number) => createModel(device, architectureFor("sasrec", "next-item"), createConfig({ ...tiny, numItems, vocabSize: numItems + 2 }), 3);

function recommenderOf(numItems: number, options: { counts?: number[]; histories?: [string, number[]][]; model?: ReturnType<typeof modelOf> } = {}): SequentialRecommender {
  const histories = new Map((options.histories ?? []).map(([user, items]) => [user, Int32Array.from(items)]));
  return new SequentialRecommender({ model: options.model ?? modelOf(numItems), catalogue: new Catalogue(ids(numItems), options.counts), histories, release: () => undefined });
}

const request = (history: number[], targets: number[], excluded: number[] = []) => ({ history: Int32Array.from(history), targets: Int32Array.from(targets), excluded: Int32Array.from(excluded) });

/** All scores of a catalogue, from the same model. */
async function scoresOf(model: ReturnType<typeof modelOf>, history: ArrayLike<number>): Promise<number[]> {
  const { rows, scores } = await new Scorer(model).bestFor(Array.from(history, (item) => item + 1), model.parameters.get("item_embeddings.weight")!.type.shape[0]!);
  const byRow: number[] = [];
  rows.forEach((row, i) => (byRow[row] = scores[i]!));
  return byRow.slice(1, -1);
}

describe("SequentialRecommender", () => {
  it("recommends what scores highest, seen items and filtered ones aside", async () => {
    const model = modelOf(400);
    using recommender = recommenderOf(400, { model, histories: [["ann", [7, 9]]] });
    const scores = await scoresOf(model, [7, 9]);
    const best = (may: (item: number) => boolean) => scores.map((_, item) => item).filter(may).sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, 3);
    const recommended = async (request: object) => (await recommender.recommend({ history: ["item-7", "item-9"], topK: 3, ...request })).map(({ itemId }) => Number(itemId.slice(5)));
    expect(await recommended({})).toEqual(best((item) => item !== 7 && item !== 9));
    expect(await recommended({ history: undefined, userId: "ann" })).toEqual(best((item) => item !== 7 && item !== 9));
    expect(await recommended({ excludeSeen: false })).toEqual(best(() => true));
    expect(await recommended({ filter: (itemId: string) => itemId.endsWith("3") })).toEqual(best((item) => item % 10 === 3));
    // So few that a longer list does not have them.
    const worst = scores.map((_, item) => item).sort((a, b) => scores[a]! - scores[b]!).slice(0, 2);
    expect(await recommended({ filter: (itemId: string) => worst.includes(Number(itemId.slice(5))) })).toEqual(worst.reverse());
    expect(await recommended({ filter: () => false })).toEqual([]);
    expect((await recommender.recommend({ history: ids(400), topK: 5 }))).toEqual([]);
    expect(await recommended({ history: ids(300) })).toEqual((await recommended({ history: ids(300) })).filter((item) => item >= 300));
  });

  it("takes the newest items of a long history", async () => {
    using recommender = recommenderOf(20);
    const long = await recommender.recommend({ history: ids(20), excludeSeen: false });
    expect(long).toEqual(await recommender.recommend({ history: ids(20).slice(-5), excludeSeen: false }));
    expect(recommender.maxLength).toBe(5);
  });

  it("gives what is popular where nothing is known, and says so", async () => {
    using recommender = recommenderOf(4, { counts: [1, 5, 0, 5] });
    const popular = [{ itemId: "item-1", score: 5, fallback: "popularity" }, { itemId: "item-3", score: 5, fallback: "popularity" }];
    expect(await recommender.recommend({ userId: "nobody", topK: 2 })).toEqual(popular);
    expect(await recommender.recommend({ history: [], topK: 2 })).toEqual(popular);
    using without = recommenderOf(4);
    await expect(without.recommend({ userId: "nobody" })).rejects.toThrow('nothing is known of user "nobody"');
    await expect(without.recommend({ history: [] })).rejects.toThrow("the history is empty");
  });

  it("names what it does not know", async () => {
    using recommender = recommenderOf(4);
    await expect(recommender.recommend({ history: ["item-1", "shoe"] })).rejects.toThrow('no item has the id "shoe"');
    await expect(recommender.similarItems("shoe")).rejects.toThrow('"shoe"');
    await expect(recommender.recommend({ history: ["item-1"], topK: 0 })).rejects.toThrow("topK");
    await expect(recommender.recommend({})).rejects.toThrow("either history");
    await expect(recommender.rankAll([request([], [1])], 1)).rejects.toThrow("the history of request 0 is empty");
    await expect(recommender.rankAll([request([0], [1]), request([4], [1])], 1)).rejects.toThrow("item number 4");
    recommender.dispose();
    await expect(recommender.recommend({ history: ["item-1"] })).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it("takes a catalogue of one item", async () => {
    using recommender = recommenderOf(1);
    expect(await recommender.recommend({ history: ["item-0"] })).toEqual([]);
    expect((await recommender.recommend({ history: ["item-0"], excludeSeen: false })).map(({ itemId }) => itemId)).toEqual(["item-0"]);
    expect(await recommender.similarItems("item-0")).toEqual([]);
    expect(await recommender.rankAll([request([0], [0])], 5)).toEqual({ ranks: [Int32Array.of(1)], top: [Int32Array.of(0)] });
  });

  it("finds similar items by the cosine of their embeddings", async () => {
    const model = modelOf(30);
    using recommender = recommenderOf(30, { model });
    const table = (await device.readStates([model.parameters.get("item_embeddings.weight")!]))[0]! as Float32Array;
    const row = (item: number) => table.subarray((item + 1) * 4, (item + 2) * 4);
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((total, value, i) => total + value * b[i]!, 0);
    const cosine = (item: number) => dot(row(item), row(8)) / Math.sqrt(dot(row(item), row(item)) * dot(row(8), row(8)));
    const wanted = ids(30).map((_, item) => item).filter((item) => item !== 8).sort((a, b) => cosine(b) - cosine(a)).slice(0, 4);
    const found = await recommender.similarItems("item-8", { topK: 4 });
    expect(found.map(({ itemId }) => itemId)).toEqual(wanted.map((item) => `item-${item}`));
    expect(found[0]!.score).toBeCloseTo(cosine(wanted[0]!), 5);
  });

  it("ranks targets among the whole catalogue, ties by the order of items", async () => {
    const model = modelOf(12);
    const state = model.parameters.get("item_embeddings.weight")!;
    const table = (await device.readStates([state]))[0]! as Float32Array;
    for (const item of [3, 6, 10]) table.set(table.subarray(5 * 4, 6 * 4), (item + 1) * 4); // as item 4: equal scores
    state.write(table);
    using recommender = recommenderOf(12, { model });
    const requests = [
      request([1, 2], [6], [1, 2, 3]),
      request([5], [4, 0, 11]),
      request([4, 4, 3], [10], [0, 6]),
      request([0, 1, 2, 3, 4, 5, 6, 7, 8], [11, 9], [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ];
    const wanted = await Promise.all(requests.map(async ({ history, targets, excluded }) => {
      const scores = await scoresOf(model, history);
      const order = scores.map((_, item) => item).filter((item) => !excluded.includes(item)).sort((a, b) => scores[b]! - scores[a]! || a - b);
      return { ranks: targets.map((target) => 1 + order.indexOf(target)), top: Int32Array.from(order.slice(0, 4)) };
    }));
    const ranked = await recommender.rankAll(requests, 4);
    expect(ranked.ranks).toEqual(wanted.map(({ ranks }) => ranks));
    expect(ranked.top).toEqual(wanted.map(({ top }) => top));
    expect(ranked.top[3]).toHaveLength(3);
    expect((await recommender.rankAll(requests, 0)).ranks).toEqual(ranked.ranks);
  });

  it("ranks by what is popular where a history is empty, and never by scores that are NaN", async () => {
    const model = modelOf(4);
    using recommender = recommenderOf(4, { model, counts: [1, 5, 0, 5] });
    const { ranks, top } = await recommender.rankAll([request([0], [2]), request([], [3, 0], [1])], 2);
    expect([ranks[1], top[1]]).toEqual([Int32Array.of(1, 2), Int32Array.of(3, 0)]);
    model.parameters.get("item_embeddings.weight")!.write(new Float32Array(6 * 4).fill(Number.NaN));
    await expect(recommender.rankAll([request([0], [2])], 2)).rejects.toMatchObject({ code: "VALUE_OUT_OF_RANGE", message: expect.stringContaining("item number 2") });
  });

  it("is measured as a baseline is, its own order of items aside", async () => {
    using recommender = recommenderOf(30);
    const log = { userIds: ["ann", "bob"], itemIds: ["item-9", "item-4", "item-20", "item-7"], histories: [Int32Array.of(0, 1, 2), Int32Array.of(3, 0, 1, 2)] };
    const { train, test } = leaveOneOut(recommender.alignInteractions(log));
    expect(test.map(({ history }) => [...history])).toEqual([[9, 4], [7, 9, 4]]);
    const byScores: ItemScorer = {
      name: "scores",
      scoreAll: async (histories) => Float32Array.from((await Promise.all(histories.map((history) => scoresOf(modelOf(30), [...history])))).flat()),
    };
    const [own, same] = [await evaluateRecommender(recommender, test, train), await evaluateRecommender(byScores, test, train)];
    expect(own.measures).toEqual(same.measures);
    expect(own.lists).toEqual(same.lists);
    expect(() => recommender.alignInteractions({ ...log, itemIds: ["item-9", "shoe", "hat", "item-7"] })).toThrow('does not know 2 of 4 items, such as "shoe"');
  });

  it("saves and loads, with its items and without anybody's history", async () => {
    const model = modelOf(6);
    using saved = recommenderOf(6, { model, counts: [3, 2, 1, 0, 9, 9], histories: [["ann", [1]]] });
    await saved.savePretrained(folder);
    expect(readFileSync(join(folder, "items.json"), "utf8")).not.toContain("ann");
    using loaded = await SequentialRecommender.fromPretrained(folder, { device });
    expect(await loaded.recommend({ history: ["item-2"] })).toEqual(await saved.recommend({ history: ["item-2"] }));
    expect((await loaded.recommend({ userId: "ann", topK: 1 }))[0]).toEqual({ itemId: "item-4", score: 9, fallback: "popularity" });
    const interactions = { userIds: ["bob"], itemIds: ["item-3", "item-2"], histories: [Int32Array.of(1, 0, 1)] };
    using informed = await SequentialRecommender.fromPretrained(folder, { device, interactions });
    expect(await informed.recommend({ userId: "bob" })).toEqual(await saved.recommend({ history: ["item-2", "item-3", "item-2"] }));
    const foreign = { ...interactions, itemIds: ["item-3", "shoe"] };
    await expect(SequentialRecommender.fromPretrained(folder, { device, interactions: foreign })).rejects.toThrow('does not know 1 of 2 items, such as "shoe"');
    await expect(SequentialRecommender.fromPretrained(folder, { device, itemIds: ["a"] })).rejects.toThrow("itemIds has 1 ids");
  });
});

// Real checkpoints are not part of the repository.
const data = process.env["HEDDLE_DATA"] ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));

describe("published checkpoints", () => {
  it.each(["iclrec-beauty", "sasrec-ml-1m"])("%s gives the scores that PyTorch gave", async (name) => {
    const checkpoint = join(data, "checkpoints", name);
    if (!existsSync(checkpoint)) return console.warn(`not checked: ${checkpoint} is not there; set HEDDLE_DATA to the folder of the data`);
    const golden = await SafetensorsReader.open(memorySource(new Uint8Array(readFileSync(join(checkpoint, "golden.safetensors"))), "golden"));
    const [items, wanted] = [await golden.read("in.items"), await golden.read("out.scores")];
    const [users, rows] = wanted.shape as [number, number];
    const cpu = await openDevice({ device: "cpu" });
    using recommender = await SequentialRecommender.fromPretrained(checkpoint, { device: cpu });
    for (let user = 0; user < users; user++) {
      const window = Array.from(items.data.subarray((user * items.data.length) / users, ((user + 1) * items.data.length) / users)).filter((row) => row > 0);
      const scores = wanted.data.subarray(user * rows, (user + 1) * rows);
      for (const { itemId, score } of await recommender.recommend({ history: window.map(String), topK: 20, excludeSeen: false })) expect(Math.abs(score - scores[Number(itemId)]!)).toBeLessThan(1e-4);
    }
    cpu.dispose();
  });
});
