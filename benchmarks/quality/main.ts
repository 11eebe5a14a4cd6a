import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HeddleError, openDevice, pipeline, type DeviceName } from "@heddle/tasks";
import { openFileSource, SafetensorsReader } from "@heddle/transformer";
import { spearman } from "./spearman.ts";

// Holds a sentence encoder against its golden embeddings and against people's judgement of similarity.

const { values } = parseArgs({ options: { model: { type: "string" }, golden: { type: "string" }, sts: { type: "string" }, device: { type: "string" } } });
if (!values.model || !(values.golden || values.sts)) {
  throw new HeddleError("INVALID_ARGUMENT", "usage: tsx --conditions=@heddle/source benchmarks/quality/main.ts --model FOLDER [--golden FOLDER] [--sts FILE.csv] [--device webgpu|reference]");
}
const device = await openDevice({ device: values.device as DeviceName | undefined });
console.log(device.description);
const embed = await pipeline("feature-extraction", values.model, { device });

if (values.golden) {
  const { texts } = JSON.parse(readFileSync(join(values.golden, "golden.json"), "utf8")) as { texts: string[] };
  const reader = await SafetensorsReader.open(await openFileSource(join(values.golden, "golden.safetensors")));
  const wanted = (await reader.read("embeddings")).data;
  await reader.close();
  const actual = await embed(texts);
  let worst = 0;
  actual.forEach((embedding, i) => embedding.forEach((value, j) => (worst = Math.max(worst, Math.abs(value - wanted[i * embed.hiddenSize + j]!)))));
  console.log(`${texts.length} golden texts: largest difference ${worst.toExponential(1)}`);
}

if (values.sts) {
  // GLUE's sts-*.csv: tab-separated, the score in column 5, the sentences in columns 6 and 7.
  const rows = readFileSync(values.sts, "utf8").split("\n").filter(Boolean).map((line) => line.split("\t"));
  const startMs = performance.now();
  const embeddings = await embed(rows.flatMap((row) => [row[5]!, row[6]!]));
  const seconds = (performance.now() - startMs) / 1e3;
  const similarities = rows.map((_, i) => embeddings[2 * i]!.reduce((total, value, j) => total + value * embeddings[2 * i + 1]![j]!, 0));
  const correlation = spearman(similarities, rows.map((row) => Number(row[4])));
  console.log(`${rows.length} pairs: Spearman ${(100 * correlation).toFixed(2)}, ${(embeddings.length / seconds).toFixed(1)} sentences/s`);
}
embed.dispose();
device.dispose();
