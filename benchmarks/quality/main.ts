import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compile, hostTensor } from "@heddle/kernels";
import { HeddleError, openDevice, pipeline, type Device, type DeviceName, type FeatureExtractionPipeline } from "@heddle/tasks";
import { loadModel, openFileSource, SafetensorsReader, textConfigOf } from "@heddle/transformer";
import { takeTurns, timed } from "../versus/turns.ts";
import { spearman } from "./spearman.ts";

// Holds a sentence encoder against its golden embeddings and against people's judgement of similarity; with --int8 once
// in f32 and once in int8, side by side.

type Kind = "f32" | "int8";

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

const ROUNDS = 9;
/** As in the other speed tables. */
const [BATCH, LENGTH] = [32, 64];

/** Sentences a second through the model alone, from token ids to hidden states, for each kind; in turn, so that a drifting machine slows all alike. */
async function sentencesPerSecond(device: Device, folder: string, kinds: readonly Kind[]): Promise<number[]> {
  const { model } = await loadModel(device, folder, { head: "none" });
  const passes = kinds.map((kind) => compile(device, `speed/${kind}`, ({ inputIds, attentionMask }) => ({ hidden: model.forward({ inputIds: inputIds!, attentionMask: attentionMask! }).lastHiddenState }), { int8: kind === "int8" }));
  const shape = [BATCH, LENGTH];
  const inputs = {
    inputIds: hostTensor(Int32Array.from({ length: BATCH * LENGTH }, (_, i) => (i * 7919) % textConfigOf(model.config).vocabSize), shape),
    attentionMask: hostTensor(new Int32Array(BATCH * LENGTH).fill(1), shape),
  };
  const { medians } = await takeTurns(passes.map((pass, i) => ({ name: kinds[i]!, repeat: () => timed(() => pass.run(inputs)) })), { rounds: ROUNDS });
  for (const pass of passes) pass.dispose();
  model.dispose();
  return medians.map(({ milliseconds }) => (BATCH / milliseconds) * 1e3);
}

const device = await openDevice({ device: values.device as DeviceName | undefined });
console.log(device.description);
const kinds: readonly Kind[] = values.int8 ? ["f32", "int8"] : ["f32"];
const speeds = await sentencesPerSecond(device, values.model, kinds);
const results = [];
for (const [i, kind] of kinds.entries()) {
  const embed = await pipeline("feature-extraction", values.model, { device, int8: kind === "int8" });
  const golden = values.golden === undefined ? null : await goldenDifference(embed, values.golden);
  const sts = values.sts === undefined ? null : await stsSpearman(embed, values.sts);
  results.push({ kind, goldenDifference: golden, stsSpearman: sts, sentencesPerSecond: speeds[i]! });
  console.log([kind.padEnd(5), `${speeds[i]!.toFixed(1).padStart(6)} sentences/s at ${BATCH} × ${LENGTH} tokens`, ...(golden === null ? [] : [`golden texts: largest difference ${golden.toExponential(1)}`]), ...(sts === null ? [] : [`STS-B Spearman ${sts.toFixed(2)}`])].join("   "));
  embed.dispose();
}
if (values.json) {
  mkdirSync(join(values.json, ".."), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify({ device: device.description, node: process.version, date: new Date().toISOString(), results }, null, 2)}\n`);
}
device.dispose();
