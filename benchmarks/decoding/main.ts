import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openDevice, type DeviceName } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, generate, loadModel, type Model } from "@heddle/transformer";
import { median } from "../measure.ts";

// What a token costs early in a text and late in it, at one capacity of the cache: it should be the same.

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    device: { type: "string", default: "webgpu" },
    tokens: { type: "string", default: "511" },
    runs: { type: "string", default: "9" },
    json: { type: "string" },
  },
});
const [length, runs] = [Number(values.tokens), Number(values.runs)];

/** Tokens whose times are averaged around each of the places. */
const SPAN = 40;
const [early, late] = [50, length - 11 - SPAN / 2];

const device = await openDevice({ device: values.device as DeviceName });

/** A small Llama, so that what grows with the text would show beside what does not. */
async function modelOf(folder: string | undefined): Promise<Model> {
  if (folder !== undefined) return (await loadModel(device, folder)).model;
  return createModel(device, architectureFor("llama", "causal-lm"), createConfig({ modelType: "llama", vocabSize: 512, hiddenSize: 64, numHiddenLayers: 5, numAttentionHeads: 8, numKeyValueHeads: 4, headDim: 8, intermediateSize: 172, maxPositionEmbeddings: 512, tieWordEmbeddings: true }), 1);
}

interface Clocks {
  readonly wallMs: number;
  /** Of all threads: what else a machine does disturbs it less. */
  readonly cpuMs: number;
}

function now(): Clocks {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1000 };
}

/** Milliseconds a token around a place. */
function around(times: readonly Clocks[], place: number): Clocks {
  const [before, after] = [times[place - SPAN / 2]!, times[place + SPAN / 2]!];
  return { wallMs: (after.wallMs - before.wallMs) / SPAN, cpuMs: (after.cpuMs - before.cpuMs) / SPAN };
}

const model = await modelOf(values.model);
const rows = [];
for (let run = 0; run < runs; run++) {
  const times: Clocks[] = [];
  for await (const _ of generate(model, [[1]], { maxNewTokens: length, eosTokenIds: [] })) times.push(now());
  const [first, last] = [around(times, early), around(times, late)];
  rows.push({ early: first, late: last, ratio: { wall: last.wallMs / first.wallMs, cpu: last.cpuMs / first.cpuMs } });
}
const result = {
  device: device.description,
  capacity: length + 1,
  places: [early, late],
  early: { wallMs: median(rows.map((row) => row.early.wallMs)), cpuMs: median(rows.map((row) => row.early.cpuMs)) },
  late: { wallMs: median(rows.map((row) => row.late.wallMs)), cpuMs: median(rows.map((row) => row.late.cpuMs)) },
  ratio: { wall: median(rows.map(({ ratio }) => ratio.wall)), cpu: median(rows.map(({ ratio }) => ratio.cpu)) },
};
console.log(`${result.device}; medians of ${runs} texts of ${length} tokens`);
console.log(`token ${early}: ${result.early.wallMs.toFixed(2)} ms (${result.early.cpuMs.toFixed(2)} of the processor)`);
console.log(`token ${late}: ${result.late.wallMs.toFixed(2)} ms (${result.late.cpuMs.toFixed(2)} of the processor)`);
console.log(`late to early: ${result.ratio.wall.toFixed(3)} by the clock, ${result.ratio.cpu.toFixed(3)} by the processor`);
if (values.json) {
  mkdirSync(join(values.json, ".."), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify({ benchmark: "decoding", date: new Date().toISOString(), model: values.model ?? "Llama, 5 layers of 64", ...result, runs: rows }, null, 2)}\n`);
}
model.dispose();
device.dispose();
