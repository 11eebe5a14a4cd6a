import { join } from "node:path";
import { hostTensor } from "@heddle/kernels";
import { defaultTrainingArguments, TrainStep } from "@heddle/training";
import { architectureFor, createConfig, createModel, saveModel } from "@heddle/transformer";
import { minilm, tokenIds } from "./implementations/data.ts";
import type { VersusRow } from "./row.ts";
import { compareTraining } from "./training.ts";
import type { Run } from "./work.ts";

const WORK = "minilm-train-cpu";
const [BATCH, LENGTH] = [16, 64];
const options = { learningRate: 5e-5, weightDecay: 0.01, maxGradNorm: 1 };

/** A whole step of BertForSequenceClassification of MiniLM's shape: forward, backward, clipping, AdamW. */
export async function* benchmarkMinilmTraining(run: Run): AsyncGenerator<VersusRow> {
  const device = await run.device();
  for (const dropout of [0, 0.1]) {
    const config = createConfig({ ...minilm, hiddenDropoutProb: dropout, attentionProbsDropoutProb: dropout, labels: ["a", "b"] });
    using model = createModel(device, architectureFor("bert", "sequence-classification"), config, 1);
    const ids = tokenIds(BATCH * LENGTH, minilm.vocabSize);
    const labels = Int32Array.from({ length: BATCH }, (_, i) => i % 2);
    if (run.pytorch) {
      const checkpoint = join(run.folder, `${WORK}-${dropout}`);
      await saveModel(model, checkpoint);
      await run.pytorch.loadTraining("BertForSequenceClassification", checkpoint, options);
      const rows = Array.from({ length: BATCH }, (_, i) => [...ids.subarray(i * LENGTH, (i + 1) * LENGTH)]);
      await run.pytorch.setBatch({ input_ids: rows, attention_mask: rows.map((row) => row.map(() => 1)), labels: [...labels] });
    }
    const { learningRate, ...clippingAndDecay } = options;
    // torch.optim.AdamW decays every parameter it is given.
    const training = new TrainStep(model, { ...defaultTrainingArguments, ...clippingAndDecay, decayParameters: () => true });
    const batch = { inputIds: hostTensor(ids, [BATCH, LENGTH]), attentionMask: hostTensor(new Int32Array(BATCH * LENGTH).fill(1), [BATCH, LENGTH]), labels: hostTensor(labels) };
    let done = 0;
    const step = async () => (await training.run([batch], { step: done++, learningRate, restartsSums: true, read: true }))!.lossSum;
    try {
      yield await compareTraining(run, { work: WORK, shape: `${BATCH} × ${LENGTH} tokens, dropout ${dropout}`, step, deterministic: dropout === 0 });
    } finally {
      training.dispose();
    }
  }
}
