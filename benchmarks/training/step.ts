import { availableParallelism } from "node:os";
import { hostTensor, type Device } from "@heddle/kernels";
import { defaultTrainingArguments, TrainStep } from "@heddle/training";
import { architectureFor, createConfig, createModel } from "@heddle/transformer";
import { gflops, interleave } from "../measure.ts";
import type { Row } from "../row.ts";

const ROUNDS = 7;

/** A whole training step (forward, backward, clipping, AdamW) of the small classifier that `TextClassifier.fit` builds. */
export async function benchmarkTrainingStep(device: Device): Promise<Row[]> {
  const [hiddenSize, numHiddenLayers, batch, vocabSize] = [128, 2, 64, 8000];
  const config = createConfig({ modelType: "bert", vocabSize, hiddenSize, numHiddenLayers, numAttentionHeads: 4, intermediateSize: 4 * hiddenSize, maxPositionEmbeddings: 128, labels: ["a", "b"] });
  using model = createModel(device, architectureFor("bert", "sequence-classification"), config, 1);
  const step = new TrainStep(model, { ...defaultTrainingArguments, labelSmoothingFactor: 0.1 });
  const rows: Row[] = [];
  for (const length of [16, 64]) {
    const tokens = batch * length;
    const inputs = {
      inputIds: hostTensor(Int32Array.from({ length: tokens }, (_, i) => (i * 7919) % vocabSize), [batch, length]),
      attentionMask: hostTensor(new Int32Array(tokens).fill(1), [batch, length]),
      labels: hostTensor(Int32Array.from({ length: batch }, (_, i) => i % 2)),
    };
    let done = 0;
    const [timing] = await interleave([async () => void (await step.run([inputs], { step: done++, learningRate: 1e-4, restartsSums: done === 1, read: true }))], ROUNDS);
    // Six a parameter and token for the matrices, and the products of queries, keys and values.
    const flops = 6 * tokens * numHiddenLayers * 12 * hiddenSize ** 2 + 12 * tokens * length * hiddenSize * numHiddenLayers;
    const rate = gflops(flops, timing!, availableParallelism());
    const shape = `${batch} × ${length} tokens`;
    rows.push(
      { work: "training step 2×128", shape, unit: "GFLOP/s", higherIsBetter: true, heddle: rate.wall, heddleByCpu: rate.cpu },
      { work: "training step 2×128", shape, unit: "tokens/s", higherIsBetter: true, heddle: (tokens / timing!.wallMs) * 1e3, heddleByCpu: null },
    );
  }
  step.dispose();
  return rows;
}
