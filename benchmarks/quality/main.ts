import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HeddleError, openDevice, pipeline, type DeviceName, type FeatureExtractionPipeline } from "@heddle/tasks";
import { openFileSource, SafetensorsReader } from "@heddle/transformer";
import { median } from "../measure.ts";
import { spearman } from "./spearman.ts";

// Holds a sentence encoder against its golden embeddings and against people's judgement of similarity; with --int8 once
// in f32 and once in int8, side by side.

const { values } = parseArgs({ options: { model: { type: "string" }, golden: { type: "string" }, sts: { type: "string" }, device: { type: "string" }, int8: { type: "boolean", default: false }, json: { type: "string" } } });
if (!values.model || !(values.golden || values.sts)) {
  throw new HeddleError("INVALID_ARGUMENT", "usage: tsx --conditions=@heddle/source benchmarks/quality/main.ts --model FOLDER [--golden FOLDER] [--sts FILE.csv] [--device webgpu|cpu|reference] [--int8] [--json FILE]");
}

/** Largest difference to PyTorch's embeddings of the same texts. */
async function goldenDifference(embed: FeatureExtractionPipeline, folder: string): Promise<number> {
  const { texts } = JSON.parse(readFileSync(join(folder, "golden.json"), "utf8")) as { texts: string[] };
  const reader = await SafetensorsReader.open(await openFileSource(join(folder, "golden.safetensors")));
  const wanted = (await reader.read("embeddings")).data;
  await reader.close();
  const actual = await embed(texts);
  return actual.reduce((worst, embedding, i) => embedding.reduce((most, value, j) => Math.max(most, Math.abs(value - wanted[i * embed.hiddenSize + j]!)), worst), 0);
}

/** 100 × Spearman's rank correlation of the embeddings' cosines with the scores of GLUE's sts-*.csv: tab-separated, the score in column 5, the sentences in columns 6 and 7. */
async function stsSpearman(embed: FeatureExtractionPipeline, file: string): Promise<number> {
  const rows = readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => line.split("\t"));
  const embeddings = await embed(rows.flatMap((row) => [row[5]!, row[6]!]));
  const similarities = rows.map((_, i) => embeddings[2 * i]!.reduce((total, value, j) => total + value * embeddings[2 * i + 1]![j]!, 0));
  return 100 * spearman(similarities, rows.map((row) => Number(row[4])));
}

const ROUNDS = 7;
/** Batches as in the speed tables: 32 texts of 64 tokens. */
const SPEED_TEXTS = Array.from({ length: 32 }, () => Array.from({ length: 62 }, () => "word").join(" "));

const device = await openDevice({ device: values.device as DeviceName | undefined });
console.log(device.description);
const kinds = values.int8 ? (["f32", "int8"] as const) : (["f32"] as const);
const embedders = await Promise.all(kinds.map((kind) => pipeline("feature-extraction", values.model!, { device, int8: kind === "int8" })));
// In turn, so that a drifting machine slows both alike.
const samples = kinds.map(() => [] as number[]);
for (let round = 0; round <= ROUNDS; round++) {
  for (const [i, embed] of embedders.entries()) {
    const startMs = performance.now();
    await embed(SPEED_TEXTS);
    if (round > 0) samples[i]!.push(performance.now() - startMs);
  }
}
const results = [];
for (const [i, kind] of kinds.entries()) {
  const embed = embedders[i]!;
  const golden = values.golden === undefined ? null : await goldenDifference(embed, values.golden);
  const sts = values.sts === undefined ? null : await stsSpearman(embed, values.sts);
  const sentencesPerSecond = (SPEED_TEXTS.length / median(samples[i]!)) * 1e3;
  results.push({ kind, goldenDifference: golden, stsSpearman: sts, sentencesPerSecond });
  console.log([kind.padEnd(5), `${sentencesPerSecond.toFixed(1).padStart(6)} sentences/s at 32 × 64`, ...(golden === null ? [] : [`golden texts: largest difference ${golden.toExponential(1)}`]), ...(sts === null ? [] : [`STS-B Spearman ${sts.toFixed(2)}`])].join("   "));
  embed.dispose();
}
if (values.json) {
  mkdirSync(join(values.json, ".."), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify({ device: device.description, node: process.version, date: new Date().toISOString(), results }, null, 2)}\n`);
}
device.dispose();
