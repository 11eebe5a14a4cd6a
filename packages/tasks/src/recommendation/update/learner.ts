import { HeddleError } from "@heddle/kernels";
import { defaultTrainingArguments, TrainStep, type DataCollator, type EncodedRow } from "@heddle/training";
import { createZeroModel, type Model, type RecommenderConfig } from "@heddle/transformer";
import { throwIfAborted } from "../../inference/encode.ts";
import { readWeights, writeWeights } from "../weights.ts";

export interface LearnerOptions {
  /** Makes batches as the model's family learns. */
  readonly collator: DataCollator;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** Steps in which the learning rate rises: the first ones of a new optimizer move every weight by the whole of it. */
const WARMUP_STEPS = 4;
const MAX_GRAD_NORM = 5;

/**
 * Learns on a copy of a model beside it, so that the model serves undisturbed. The copy, its optimizer and its programs are kept
 * from round to round; each round begins with the served weights and an optimizer that knows nothing, so it depends on its arguments
 * alone.
 */
export class Learner {
  /** What has learnt: the round's weights after `learn`. */
  readonly model: Model;
  private readonly step: TrainStep;

  constructor(
    private readonly served: Model,
    private readonly options: LearnerOptions,
  ) {
    this.model = createZeroModel(served.device, served.architecture, served.config);
    try {
      this.step = new TrainStep(this.model, {
        ...defaultTrainingArguments,
        weightDecay: 0,
        maxGradNorm: MAX_GRAD_NORM,
        gradientAccumulationSteps: 1,
        seed: options.seed,
        nextItemLoss: { type: "sampled-softmax", numItems: (served.config as RecommenderConfig).numItems },
      });
    } catch (error) {
      this.model.dispose();
      throw error;
    }
  }

  /**
   * A few steps from the served weights, each on a batch of rows.
   *
   * @param round counts rounds, so that each draws negatives of its own
   * @throws TRAINING_DIVERGED; ABORTED. The served weights are as they were in any case
   */
  async learn(batches: readonly (readonly EncodedRow[])[], round: number, signal?: AbortSignal): Promise<void> {
    const { collator, batchSize, learningRate, seed } = this.options;
    writeWeights(this.model, await readWeights(this.served));
    for (const state of this.step.states.saved.values()) state.write(new Float32Array(state.type.shape.reduce((size, count) => size * count, 1)));
    for (const [i, rows] of batches.entries()) {
      throwIfAborted(signal, "SequentialRecommender.update");
      const batch = collator(rows, { rowNumbers: rows.map((_, row) => i * batchSize + row), batchSize, training: true, seed, epoch: round });
      const report = await this.step.run([batch], { step: i, learningRate: learningRate * Math.min(1, (i + 1) / WARMUP_STEPS), restartsSums: true, read: true });
      // Promises alone never let a timer, a request or a click through.
      await new Promise<void>((resolve) => setTimeout(resolve));
      if (report!.finiteSteps !== 1) throw new HeddleError("TRAINING_DIVERGED", `[SequentialRecommender.update] the gradient is not finite at step ${i + 1} of ${batches.length}: lower learningRate, now ${learningRate}. The served weights are as they were`);
    }
    throwIfAborted(signal, "SequentialRecommender.update");
  }

  dispose(): void {
    this.step.dispose();
    this.model.dispose();
  }
}
