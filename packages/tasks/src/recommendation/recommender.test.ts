import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDevice, ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, memorySource, SafetensorsReader } from "@heddle/transformer";
import { afterAll, describe, expect, it } from "vitest";
import { Catalogue } from "./catalogue.ts";
import { SequentialRecommender } from "./recommender.ts";
import { Scorer } from "./scorer.ts";

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

/** All scores of a catalogue, from the same model. */
async function scoresOf(model: ReturnType<typeof modelOf>, history: readonly number[]): Promise<number[]> {
  const { rows, scores } = await new Scorer(model).bestFor(history.map((item) => item + 1), model.parameters.get("item_embeddings.weight")!.type.shape[0]!);
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
    await expect(recommender.ranks([Int32Array.of()], [1])).rejects.toThrow("history 0 is empty");
    await expect(recommender.ranks([Int32Array.of(4)], [1])).rejects.toThrow("item number 4");
    recommender.dispose();
    await expect(recommender.recommend({ history: ["item-1"] })).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it("takes a catalogue of one item", async () => {
    using recommender = recommenderOf(1);
    expect(await recommender.recommend({ history: ["item-0"] })).toEqual([]);
    expect((await recommender.recommend({ history: ["item-0"], excludeSeen: false })).map(({ itemId }) => itemId)).toEqual(["item-0"]);
    expect(await recommender.similarItems("item-0")).toEqual([]);
    expect([...(await recommender.ranks([[0]], [0]))]).toEqual([0]);
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
    const histories = [[1, 2], [5], [4, 4, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8]];
    const targets = [6, 4, 10, 11];
    const exclude = [[1, 2, 3], [], [6, 6, 10, 0], [0, 1, 2, 3, 4, 5, 6, 7, 8]];
    const wanted = await Promise.all(histories.map(async (history, user) => {
      const scores = await scoresOf(model, history);
      const target = targets[user]!;
      return scores.filter((score, item) => !exclude[user]!.includes(item) && (score > scores[target]! || (score === scores[target]! && item < target))).length;
    }));
    expect([...(await recommender.ranks(histories, targets, { exclude }))]).toEqual(wanted);
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
