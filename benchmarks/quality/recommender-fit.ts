import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { beforeLast, evaluateRecommender, HeddleError, leaveOneOut, readInteractionsFile, SequentialRecommender, type FitRecommenderOptions } from "@heddle/tasks";
import { median } from "../measure.ts";

// How good is a recommender that `fit` trains, with its defaults or with other settings, over several seeds?
//
// Each user's last event is what has to be foreseen, among all items that the user has not touched. With --choose everybody's last event is
// left out altogether and the one before is foreseen: settings are compared so, and the test is not looked at. With --checkpoints a run
// that was stopped goes on, and its minutes are those of the last process alone.

const USAGE = "usage: tsx --conditions=@heddle/source benchmarks/quality/recommender-fit.ts --data FILE [--seeds 1,2,3] [--settings JSON] [--choose] [--device cpu|webgpu] [--checkpoints FOLDER] [--json FILE]";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    seeds: { type: "string", default: "1" },
    settings: { type: "string", default: "{}" },
    choose: { type: "boolean", default: false },
    device: { type: "string", default: "cpu" },
    checkpoints: { type: "string" },
    json: { type: "string" },
  },
});
if (!values.data) throw new HeddleError("INVALID_ARGUMENT", USAGE);
const settings = JSON.parse(values.settings) as FitRecommenderOptions;

const { interactions: read } = await readInteractionsFile(values.data, { duplicates: "none" });
const log = values.choose ? beforeLast(read) : read;
const known = beforeLast(log);
const { test } = leaveOneOut(log);

const runs = [];
for (const seed of values.seeds.split(",").map(Number)) {
  const started = performance.now();
  const epochs: number[] = [];
  let evaluations = 0;
  let resumedEpoch = 0;
  using recommender = await SequentialRecommender.fit(known, {
    device: values.device as "cpu",
    ...settings,
    seed,
    ...(values.checkpoints && { outputDir: join(values.checkpoints, `seed-${seed}`), resume: true }),
    onEvent(event) {
      if (event.type === "plan") resumedEpoch = event.resumedEpoch;
      if (event.type === "epoch") epochs.push(event.seconds);
      if (event.type !== "evaluation") return;
      evaluations++;
      console.error(`seed ${seed}, epoch ${event.epoch}: HR@10 ${event.hitRate.toFixed(4)}, NDCG@10 ${event.ndcg.toFixed(4)} on what chooses the epoch${event.best ? ", best so far" : ""}`);
    },
  });
  const minutes = (performance.now() - started) / 60_000;
  const { measures } = await evaluateRecommender(recommender, test, known, { cutoffs: [10] });
  const [hr, ndcg] = [measures["hr@10"]!, measures["ndcg@10"]!];
  const secondsPerEpoch = median(epochs);
  runs.push({ seed, "hr@10": hr, "ndcg@10": ndcg, resumedEpoch, epochs: epochs.length, evaluations, minutes, secondsPerEpoch, device: recommender.deviceDescription });
  console.log(`seed ${seed}: HR@10 ${hr.toFixed(4)}, NDCG@10 ${ndcg.toFixed(4)}; ${epochs.length} epochs${resumedEpoch > 0 ? ` after ${resumedEpoch} earlier ones` : ""} in ${minutes.toFixed(1)} min, half of them below ${secondsPerEpoch.toFixed(1)} s`);
}

const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
const spread = (numbers: readonly number[]) => `${mean(numbers).toFixed(4)} (${Math.min(...numbers).toFixed(4)} to ${Math.max(...numbers).toFixed(4)})`;
console.log(`HR@10 ${spread(runs.map((run) => run["hr@10"]))}, NDCG@10 ${spread(runs.map((run) => run["ndcg@10"]))} of ${test.length} users${values.choose ? ", on the last but one event" : ""}`);
if (values.json) {
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), data: values.data.split("/").at(-1), measuredOn: values.choose ? "last but one event" : "last event", settings, runs }, null, 2)}\n`);
}
