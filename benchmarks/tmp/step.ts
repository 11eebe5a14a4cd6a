import { openDevice, hostTensor, WebGpuDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel } from "@heddle/transformer";
import { TrainStep } from "@heddle/training";
import fs from "node:fs";
const cpuNs = () => { let s = 0; for (const t of fs.readdirSync("/proc/self/task")) { if (+t === process.pid) continue; try { s += +fs.readFileSync(`/proc/self/task/${t}/schedstat`, "utf8").split(" ")[0]!; } catch {} } return s; };
const device = (await openDevice({ device: "webgpu" })) as WebGpuDevice;
const H = 128, L = 2, V = 8000, B = 64;
const config = createConfig({ modelType: "bert", vocabSize: V, hiddenSize: H, numHiddenLayers: L, numAttentionHeads: 4, intermediateSize: 4 * H, maxPositionEmbeddings: 128, labels: ["a", "b"], hiddenDropoutProb: 0.1, attentionProbsDropoutProb: 0.0 });
const model = createModel(device, architectureFor("bert", "sequence-classification"), config, 1);
const step = new TrainStep(model, { weightDecay: 0.01, adamBeta1: 0.9, adamBeta2: 0.999, adamEpsilon: 1e-8, maxGradNorm: 1, labelSmoothingFactor: 0.1, gradientAccumulationSteps: 1, seed: 1 });
for (const T of [16, 32]) {
  const batch = { inputIds: hostTensor(Int32Array.from({ length: B * T }, (_, i) => (i * 7919) % V), [B, T]), attentionMask: hostTensor(new Int32Array(B * T).fill(1), [B, T]), tokenTypeIds: hostTensor(new Int32Array(B * T), [B, T]), labels: hostTensor(Int32Array.from({ length: B }, (_, i) => i % 2)) };
  const { tokenTypeIds, ...withoutTypes } = batch;
  const feed = withoutTypes as never;
  const t0 = performance.now();
  await step.run([feed], { step: 0, learningRate: 1e-4, restartsSums: true, read: true });
  const cold = performance.now() - t0;
  const before = { ...device.traffic };
  const times: number[] = []; const c0 = cpuNs(); const n = 12;
  for (let i = 1; i <= n; i++) { const t = performance.now(); await step.run([feed], { step: i, learningRate: 1e-4, restartsSums: false, read: true }); times.push(performance.now() - t); }
  const cpu = (cpuNs() - c0) / 1e6 / n;
  times.sort((a, b) => a - b);
  const flops = 6 * B * T * (L * 12 * H * H) + 12 * B * T * T * H * L;
  console.log("T", T, "cold", cold.toFixed(0), "median ms", times[n >> 1]!.toFixed(1), "min", times[0]!.toFixed(1), "worker cpu ms/step", cpu.toFixed(1), "dispatches", (device.traffic.dispatches - before.dispatches) / n, "GF", (flops / 1e9).toFixed(2), "cpu2 GF/s", (flops / (cpu / 2) / 1e6).toFixed(1), "mem MB", (step.plan({ inputIds: { dtype: "i32", shape: [B, T] }, attentionMask: { dtype: "i32", shape: [B, T] }, labels: { dtype: "i32", shape: [B] } }).peakBytes / 1e6).toFixed(1));
}
step.dispose(); model.dispose(); device.dispose();
