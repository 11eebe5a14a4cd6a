import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compile, hostTensor, openDevice, type Device } from "@heddle/kernels";
import { modelTrial } from "@heddle/tasks";
import { architectureFor, createConfig, createZeroModel, type ModelConfig } from "@heddle/transformer";
import { interleave } from "../measure.ts";

// What `device: "auto"` chooses for models of several sizes and batches, beside how fast both devices really are.

const SIZES = [
  { hiddenSize: 32, numHiddenLayers: 1, numAttentionHeads: 2 },
  { hiddenSize: 128, numHiddenLayers: 2, numAttentionHeads: 4 },
  { hiddenSize: 384, numHiddenLayers: 6, numAttentionHeads: 12 },
];
const BATCHES = [
  { batchSize: 1, length: 16 },
  { batchSize: 8, length: 64 },
  { batchSize: 32, length: 64 },
];
const ROUNDS = 3;
const architecture = architectureFor("bert", "none");

/** The forward pass on one batch, ready to be timed. */
function forward(device: Device, config: ModelConfig, { batchSize, length }: (typeof BATCHES)[number]): { run(): Promise<void>; dispose(): void } {
  const model = createZeroModel(device, architecture, config);
  const compiled = compile(device, "forward", ({ inputIds, attentionMask }) => ({ hidden: model.forward({ inputIds: inputIds!, attentionMask: attentionMask! }).lastHiddenState }));
  const shape = [batchSize, length];
  const inputs = { inputIds: hostTensor(new Int32Array(batchSize * length), shape), attentionMask: hostTensor(new Int32Array(batchSize * length).fill(1), shape) };
  return {
    run: async () => void (await compiled.run(inputs)),
    dispose() {
      compiled.dispose();
      model.dispose();
    },
  };
}

const [cpu, webgpu] = [await openDevice({ device: "cpu" }), await openDevice({ device: "webgpu" })];
console.log(`cpu: ${cpu.description}\nwebgpu: ${webgpu.description}\n`);
const rows = [];
for (const size of SIZES) {
  const config = createConfig({ modelType: "bert", vocabSize: 30522, intermediateSize: 4 * size.hiddenSize, maxPositionEmbeddings: 512, ...size });
  for (const batch of BATCHES) {
    let reason = "";
    const startMs = performance.now();
    const chosen = await openDevice({ device: "auto", trial: modelTrial(architecture, config, batch), log: (line) => (reason = line) });
    const choiceMs = performance.now() - startMs;
    chosen.dispose();
    const works = [forward(cpu, config, batch), forward(webgpu, config, batch)];
    for (const { run } of works) await run();
    const [onCpu, onWebgpu] = await interleave(works.map(({ run }) => run), ROUNDS);
    for (const work of works) work.dispose();
    const faster = onCpu!.wallMs <= onWebgpu!.wallMs ? "cpu" : "webgpu";
    rows.push({ model: `${size.numHiddenLayers} × ${size.hiddenSize}`, ...batch, cpuMs: onCpu!.wallMs, webgpuMs: onWebgpu!.wallMs, faster, auto: chosen.kind, choiceMs, reason });
    const verdict = chosen.kind === faster ? "right" : "WRONG";
    console.log(`${size.numHiddenLayers} × ${String(size.hiddenSize).padEnd(4)} ${String(batch.batchSize).padStart(2)} × ${batch.length}   cpu ${onCpu!.wallMs.toFixed(1).padStart(7)} ms   webgpu ${onWebgpu!.wallMs.toFixed(1).padStart(8)} ms   auto: ${chosen.kind} in ${choiceMs.toFixed(0)} ms, ${verdict}`);
  }
}
const date = new Date().toISOString();
const file = join(import.meta.dirname, "..", "results", `auto-${date.slice(0, 10)}.json`);
mkdirSync(join(file, ".."), { recursive: true });
writeFileSync(file, `${JSON.stringify({ cpu: cpu.description, webgpu: webgpu.description, node: process.version, date, rows }, null, 2)}\n`);
console.log(`\nwritten to ${file}`);
for (const device of [cpu, webgpu]) device.dispose();
process.exitCode = rows.every(({ faster, auto }) => faster === auto) ? 0 : 1;
