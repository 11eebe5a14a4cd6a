import { rm } from "node:fs/promises";
import { join } from "node:path";
import { compareRecommenders, describeComparison, evaluateRecommender, fitBaselines, interactionsFromEvents, leaveOneOut, openDevice, SequentialRecommender } from "@heddle/tasks";
import { PRODUCTS } from "../src/catalogue/catalogue.ts";
import { featuresOf } from "../src/catalogue/features.ts";
import { generateClickLog } from "./click-log.ts";

const SEED = 7;
const NUM_VISITORS = 4000;
const folder = join(import.meta.dirname, "../public/model");

const { interactions } = interactionsFromEvents(generateClickLog(PRODUCTS, { seed: SEED, numVisitors: NUM_VISITORS }));
const numClicks = interactions.histories.reduce((sum, { length }) => sum + length, 0);
console.log(`${PRODUCTS.length} products; ${interactions.userIds.length} visitors, ${numClicks} clicks, seed ${SEED}`);

// The last click of each visitor is for the test, the one before it chooses the epoch.
const { train, validation, test } = leaveOneOut(interactions);
const device = await openDevice();
const startMs = performance.now();
const recommender = await SequentialRecommender.fit(train, {
  device,
  itemFeatures: new Map(PRODUCTS.map((product) => [product.id, featuresOf(product)])),
  seed: SEED,
  maxLength: 20,
  hiddenSize: 48,
  dropout: 0.2,
  numTrainEpochs: 12,
  validation: validation.map(({ history, targets }) => ({ history, target: targets[0]! })),
  onEvent: (event) => {
    if (event.type === "evaluation") console.log(`epoch ${event.epoch}: HR@10 ${event.hitRate.toFixed(4)}, NDCG@10 ${event.ndcg.toFixed(4)}`);
  },
});
console.log(`trained in ${((performance.now() - startMs) / 1000).toFixed(0)} s on ${device.description}`);

const evaluate = (ranker: Parameters<typeof evaluateRecommender>[0]) => evaluateRecommender(ranker, test, train, { cutoffs: [10] });
const model = await evaluate(recommender);
const { baselines } = await fitBaselines(train);
const measured = [];
for (const baseline of baselines) measured.push(await evaluate(baseline));
for (const { name, measures } of [model, ...measured]) console.log(`${name.padEnd(12)} HR@10 ${measures["hr@10"]!.toFixed(4)}  NDCG@10 ${measures["ndcg@10"]!.toFixed(4)}`);
console.log(describeComparison(compareRecommenders(model, measured)).join("\n"));

await rm(folder, { recursive: true, force: true });
await recommender.savePretrained(folder);
recommender.dispose();
device.dispose();
