import { hostTensor } from "@heddle/kernels";
import { defaultTrainingArguments, TrainStep } from "@heddle/training";
import { architectureFor, createConfig, createModel } from "@heddle/transformer";
import { NanoGpt, NanoGptTraining } from "../versus/nanogpt.ts";
import type { Work } from "../work.ts";

/** Whole training steps: forward, backward, clipping, AdamW. */
export function trainingWorks(): Work[] {
  return [nanoGpt(12, 64), classifier(64, 16), classifier(64, 64)];
}

const [SMALLEST_BATCH, SMALLEST_LENGTH] = [1, 8];

/**
 * Model FLOPs of a step (Chowdhery et al. 2022, "PaLM", appendix B): six a weight of the matrices and token, and the products of
 * queries, keys and values, of which a causal mask's half is not taken off.
 */
function stepFlops({ tokens, length, weights, layers, hidden }: { tokens: number; length: number; weights: number; layers: number; hidden: number }): number {
  return 6 * tokens * weights + 12 * tokens * length * hidden * layers;
}

/** nanoGPT's configuration for a CPU. */
function nanoGpt(batch: number, length: number): Work {
  const [vocabSize, hiddenSize, numLayers, contextLength] = [65, 128, 4, 64];
  const tokens = batch * length;
  return {
    name: "nanoGPT step 4 × 128",
    shape: `${batch} × ${length} tokens`,
    flops: stepFlops({ tokens, length, weights: 12 * numLayers * hiddenSize ** 2 + vocabSize * hiddenSize, layers: numLayers, hidden: hiddenSize }),
    bytes: null,
    replayed: length === SMALLEST_LENGTH ? null : nanoGpt(SMALLEST_BATCH, SMALLEST_LENGTH),
    prepare(device) {
      const model = new NanoGpt(device, { vocabSize, contextLength, hiddenSize, numLayers, numHeads: 4 }, 1);
      const training = new NanoGptTraining(model, { learningRate: 1e-3, weightDecay: 0.01, maxGradNorm: 1 });
      const ids = (shift: number) => hostTensor(Int32Array.from({ length: tokens }, (_, i) => ((i + shift) * 7919) % vocabSize), [batch, length]);
      const inputs = { inputIds: ids(0), labels: ids(1) };
      return {
        queue: () => training.queue(inputs),
        dispose() {
          training.dispose();
          model.dispose();
        },
      };
    },
  };
}

/** The small classifier that `TextClassifier.fit` builds. */
function classifier(batch: number, length: number): Work {
  const [hiddenSize, numHiddenLayers, vocabSize] = [128, 2, 8000];
  const tokens = batch * length;
  return {
    name: "classifier step 2 × 128",
    shape: `${batch} × ${length} tokens`,
    flops: stepFlops({ tokens, length, weights: 12 * numHiddenLayers * hiddenSize ** 2, layers: numHiddenLayers, hidden: hiddenSize }),
    bytes: null,
    replayed: length === SMALLEST_LENGTH ? null : classifier(SMALLEST_BATCH, SMALLEST_LENGTH),
    prepare(device) {
      const config = createConfig({ modelType: "bert", vocabSize, hiddenSize, numHiddenLayers, numAttentionHeads: 4, intermediateSize: 4 * hiddenSize, maxPositionEmbeddings: 128, labels: ["a", "b"] });
      const model = createModel(device, architectureFor("bert", "sequence-classification"), config, 1);
      const step = new TrainStep(model, { ...defaultTrainingArguments, labelSmoothingFactor: 0.1 });
      const inputs = {
        inputIds: hostTensor(Int32Array.from({ length: tokens }, (_, i) => (i * 7919) % vocabSize), [batch, length]),
        attentionMask: hostTensor(new Int32Array(tokens).fill(1), [batch, length]),
        labels: hostTensor(Int32Array.from({ length: batch }, (_, i) => i % 2)),
      };
      let done = 0;
      return {
        queue: () => step.run([inputs], { step: done++, learningRate: 1e-4, restartsSums: done === 1, read: false }),
        dispose() {
          step.dispose();
          model.dispose();
        },
      };
    },
  };
}
