import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { parseArgs } from "node:util";
import { pcg3d } from "@heddle/kernels";
import { HeddleError, readInteractionsFile, SequentialRecommender, type DeviceName, type Interactions, type ItemFeatures, type RecommenderLoss } from "@heddle/tasks";
import { attributePopularity, attributeProfile, chanceOf, coldSplit, popularity, recallOf, type ColdQuery, type ItemScore } from "./cold-split.ts";

// Holds a tenth of all items out of training wholly, adds them by their features alone, and measures how often one of them, being
// what came next for a user, is among the first 20: of the whole catalogue, and of the new items.

const CUTOFF = 20;
const { values } = parseArgs({
  options: {
    data: { type: "string" }, attributes: { type: "string" }, json: { type: "string" }, device: { type: "string", default: "cpu" }, seed: { type: "string", default: "42" }, share: { type: "string", default: "0.1" },
    epochs: { type: "string", default: "20" }, dropout: { type: "string", default: "0.3" }, loss: { type: "string", default: "sampled-softmax" }, negatives: { type: "string", default: "512" }, "hidden-dropout": { type: "string", default: "0.5" }, "batch-size": { type: "string", default: "128" }, "max-length": { type: "string", default: "50" }, validate: { type: "string", default: "10000" }, hidden: { type: "string", default: "64" }, "learning-rate": { type: "string", default: "0.001" },
  },
});
if (!values.data || !values.attributes) {
  throw new HeddleError("INVALID_ARGUMENT", "usage: tsx --conditions=@heddle/source benchmarks/cold-items/main.ts --data Beauty.txt --attributes Beauty_item2attributes.json [--share 0.1] [--epochs 20] [--dropout 0.3] [--loss sampled-softmax] [--negatives 512] [--hidden 64] [--learning-rate 0.001] [--hidden-dropout 0.5] [--batch-size 128] [--max-length 50] [--validate USERS] [--seed 42] [--device cpu] [--json FILE]");
}
const seed = Number(values.seed);

const { interactions } = await readInteractionsFile(values.data);
const attributes = new Map(Object.entries(JSON.parse(readFileSync(values.attributes, "utf8")) as Record<string, number[]>).map(([itemId, own]) => [itemId, own.map(String)]));
const split = coldSplit(interactions, (item) => pcg3d(seed, item, 0)[0] / 2 ** 32 < Number(values.share));
const itemFeatures = new Map([...attributes].map(([itemId, categories]): [string, ItemFeatures] => [itemId, { categories }]));
console.log(`${split.coldIds.length} of ${interactions.itemIds.length} items held out; ${split.cold.length} users' last event is one of them, ${split.warm.length} users' one of the others`);

const started = performance.now();
using recommender = await SequentialRecommender.fit(split.train, {
  itemFeatures, itemDropout: Number(values.dropout), validation: split.validation.slice(0, Number(values.validate)), dropout: Number(values["hidden-dropout"]), batchSize: Number(values["batch-size"]), maxLength: Number(values["max-length"]), device: values.device as DeviceName, seed,
  loss: values.loss as RecommenderLoss, numNegatives: Number(values.negatives), hiddenSize: Number(values.hidden), numTrainEpochs: Number(values.epochs), learningRate: Number(values["learning-rate"]),
  onEvent: (event) => console.log(JSON.stringify(event)),
});
const trainingSeconds = (performance.now() - started) / 1000;
const addingStarted = performance.now();
const added = await recommender.addItems(split.coldIds.map((itemId) => ({ itemId, features: itemFeatures.get(itemId) ?? {} })));
const addingMs = performance.now() - addingStarted;

const isCold = new Set(split.coldIds);
const everyItem = recommender.itemIds;
const among = { whole: everyItem.map(() => true), cold: everyItem.map((itemId) => isCold.has(itemId)) };
const counts = countsOf(split.train);
const scorers: Record<string, ItemScore> = { popularity: popularity(everyItem, counts), "popularity of its attributes": attributePopularity(everyItem, attributes, counts), "attributes of the history": attributeProfile(everyItem, attributes) };
const results: Record<string, Record<keyof typeof among, number>> = { chance: { whole: chanceOf(split.cold, everyItem, CUTOFF), cold: chanceOf(split.cold, split.coldIds, CUTOFF) } };
for (const [name, score] of Object.entries(scorers)) results[name] = recallOf(split.cold, everyItem, score, among, CUTOFF);
const recalled = async (queries: readonly ColdQuery[], filter?: (itemId: string) => boolean) => {
  let hits = 0;
  for (const { history, target } of queries) if ((await recommender.recommend({ history, topK: CUTOFF, ...(filter && { filter }) })).some(({ itemId }) => itemId === target)) hits++;
  return hits / queries.length;
};
results["sasrec with features"] = { whole: await recalled(split.cold), cold: await recalled(split.cold, (itemId) => isCold.has(itemId)) };
// As many of the others, to see what features cost or give them.
const warmQueries = split.warm.filter((_, i) => i % Math.ceil(split.warm.length / split.cold.length) === 0);
const warmRecall = await recalled(warmQueries);

console.log(`\n${"recall@20 of new items".padEnd(34)}${"whole catalogue".padStart(16)}${"new items alone".padStart(16)}`);
for (const [name, { whole, cold }] of Object.entries(results)) console.log(`${name.padEnd(34)}${whole.toFixed(4).padStart(16)}${cold.toFixed(4).padStart(16)}`);
console.log(`items of the training, whole catalogue: recall@20 ${warmRecall.toFixed(4)}; trained in ${trainingSeconds.toFixed(0)} s, ${split.coldIds.length} items added in ${addingMs.toFixed(0)} ms`);
if (values.json) {
  mkdirSync(dirname(values.json), { recursive: true });
  const facts = { device: recommender.deviceDescription, node: process.version, date: new Date().toISOString(), settings: { ...values, data: basename(values.data), attributes: basename(values.attributes), json: undefined }, numItems: everyItem.length, numColdItems: split.coldIds.length, numColdItemsWithoutFeatures: added.withoutFeatures.length, numQueries: split.cold.length, numWarmQueries: warmQueries.length, trainingSeconds, addingMs };
  writeFileSync(values.json, `${JSON.stringify({ ...facts, "recall@20": results, "warmRecall@20": warmRecall }, null, 2)}\n`);
}

function countsOf({ histories, itemIds }: Interactions): Map<string, number> {
  const found = new Map<string, number>();
  for (const history of histories) for (const item of history) found.set(itemIds[item]!, (found.get(itemIds[item]!) ?? 0) + 1);
  return found;
}
