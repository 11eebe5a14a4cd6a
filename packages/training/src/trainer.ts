import { HeddleError } from "@heddle/kernels";
import { lockFolder, type Model } from "@heddle/transformer";
import { resolveTrainingArguments, type TrainingArguments } from "./arguments.ts";
import { findCheckpoint, refuseForeignCheckpoints, removeIncomplete } from "./checkpoint/folders.ts";
import { collatorFor, type DataCollator } from "./data/batches.ts";
import type { TokenDropout } from "./data/collate.ts";
import type { EncodedDataset } from "./data/dataset.ts";
import { alignPredictions, Evaluator, type RowPrediction } from "./evaluate.ts";
import type { TrainingEvent } from "./events.ts";
import { defaultMetrics, type ComputeMetrics, type Metrics } from "./metrics/evaluation.ts";
import type { NextItemLoss } from "./next-item-loss.ts";
import { TrainStep, type DecayParameters } from "./train-step.ts";
import { TrainingRun } from "./training-run.ts";

export interface TrainerOptions {
  /** Trained in place; stays the caller's to dispose of. */
  model: Model;
  args?: Partial<TrainingArguments>;
  trainDataset?: EncodedDataset;
  evalDataset?: EncodedDataset;
  /** By default accuracy, F1 and the like, as the problem has them. */
  computeMetrics?: ComputeMetrics;
  /** Instead of `evalDataset`: measures the present weights in a way of its own. */
  evaluate?: (signal: AbortSignal | undefined) => Promise<Metrics>;
  /** With `loadBestModelAtEnd`: so many evaluations in a row without a better one end the run. By default none does. */
  earlyStoppingPatience?: number;
  /** By default `collate` with the model's padding, lengths and labels. */
  dataCollator?: DataCollator;
  lossOptions?: { classWeights?: readonly number[]; nextItemLoss?: NextItemLoss };
  /** Which parameters `weightDecay` applies to; by default all but biases and layer norms. */
  decayParameters?: DecayParameters;
  /** Evaluates, saves and ends with a moving average of the weights: 0.999 and the like. Off by default. */
  emaDecay?: number;
  /** Word dropout on the training rows. Off by default. */
  tokenDropout?: TokenDropout;
  /** Files that belong to the model's folder and go into every checkpoint, such as tokenizer.json. */
  files?: Readonly<Record<string, string | object>>;
  /** Milliseconds; for tests. */
  now?: () => number;
}

export interface TrainOptions {
  /** Stops after the step at work, saves a checkpoint where there is an `outputDir`, and ends with an `aborted` event. */
  signal?: AbortSignal;
  /** A checkpoint's folder; true: the newest in `outputDir`; "auto": the newest, or a new run where there is none. */
  resumeFromCheckpoint?: string | boolean;
}

export interface Predictions {
  /** One a row, in the data set's order. */
  readonly rows: readonly RowPrediction[];
  /** Empty where the rows have no labels. */
  readonly metrics: Metrics;
}

/**
 * Trains a model on encoded rows, as transformers' Trainer: AdamW, clipping, schedules, evaluation, checkpoints. The
 * events drive the loop: nothing happens until the next one is asked for.
 *
 * A run that is stopped or killed and then resumed from its checkpoint ends with exactly the weights of a run that was
 * not, on the same adapter. Errors leave earlier checkpoints as they were.
 */
export class Trainer {
  readonly args: TrainingArguments;
  private readonly collator: DataCollator;
  private readonly evaluator: Evaluator;

  /** Throws INVALID_ARGUMENT. */
  constructor(private readonly options: TrainerOptions) {
    this.args = resolveTrainingArguments(options.args);
    const { model, trainDataset, evalDataset, dataCollator, tokenDropout, emaDecay, evaluate, earlyStoppingPatience = Infinity } = options;
    if (this.args.evalStrategy !== "no" && !evaluate && !evalDataset?.length) throw new HeddleError("INVALID_ARGUMENT", `[Trainer] evalStrategy is ${this.args.evalStrategy}, but evalDataset has no rows; pass some or set evalStrategy to "no"`);
    if (emaDecay !== undefined && !(emaDecay >= 0 && emaDecay < 1)) throw new HeddleError("INVALID_ARGUMENT", `[Trainer] emaDecay must be in [0, 1), it is ${emaDecay}; 0.999 is usual`);
    if (earlyStoppingPatience !== Infinity && !(Number.isSafeInteger(earlyStoppingPatience) && earlyStoppingPatience >= 1)) throw new HeddleError("INVALID_ARGUMENT", `[Trainer] earlyStoppingPatience must be a whole number of at least 1, it is ${earlyStoppingPatience}; 3 is usual`);
    if (options.earlyStoppingPatience !== undefined && !this.args.loadBestModelAtEnd) throw new HeddleError("INVALID_ARGUMENT", "[Trainer] earlyStoppingPatience counts evaluations without a better one: set loadBestModelAtEnd, metricForBestModel and evalStrategy");
    const half = [...model.parameters].find(([, { type }]) => type.dtype === "f16");
    if (half) throw new HeddleError("INVALID_ARGUMENT", `[Trainer] ${half[0]} is in half precision, which does not learn: load the model with { dtype: "float32" }`);
    const share = tokenDropout?.maskTokenProbability ?? 0;
    if (!(share >= 0 && share < 1)) throw new HeddleError("INVALID_ARGUMENT", `[Trainer] maskTokenProbability must be in [0, 1), it is ${share}; 0.1 is usual`);
    this.collator = dataCollator ?? collatorFor(model, [trainDataset ?? [], evalDataset ?? []], tokenDropout);
    this.evaluator = new Evaluator(model, this.collator);
  }

  /**
   * Trains from the model's present weights, or from a checkpoint.
   *
   * Errors: INVALID_ARGUMENT (rows and labels that do not fit are found before the first step), TRAINING_DIVERGED,
   * FOLDER_IN_USE, FOLDER_NOT_EMPTY, FOLDER_NOT_WRITABLE, DISK_FULL, CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID,
   * CHECKPOINT_MISMATCH.
   */
  async *train({ signal, resumeFromCheckpoint = false }: TrainOptions = {}): AsyncGenerator<TrainingEvent, void, undefined> {
    const { outputDir } = this.args;
    const lock = outputDir === null ? null : await lockFolder(outputDir);
    try {
      if (outputDir !== null) await removeIncomplete(outputDir);
      const checkpoint = resumeFromCheckpoint === false ? null : await findCheckpoint(resumeFromCheckpoint, outputDir);
      if (outputDir !== null && checkpoint === null) await refuseForeignCheckpoints(outputDir);
      const { model, trainDataset = [], decayParameters, emaDecay, lossOptions, tokenDropout, files = {}, earlyStoppingPatience = Infinity, evaluate = (evaluationSignal) => this.evaluate(undefined, { signal: evaluationSignal }), now = () => performance.now() } = this.options;
      const trainStep = new TrainStep(model, { ...this.args, decayParameters, emaDecay, classWeights: lossOptions?.classWeights, nextItemLoss: lossOptions?.nextItemLoss });
      try {
        const run = new TrainingRun({
          model,
          args: this.args,
          dataset: trainDataset,
          collator: this.collator,
          trainStep,
          evaluate,
          earlyStoppingPatience,
          decisive: { emaDecay, classWeights: lossOptions?.classWeights, nextItemLoss: lossOptions?.nextItemLoss, tokenDropout },
          files,
          now,
        });
        yield* run.events(checkpoint, signal);
      } finally {
        trainStep.dispose();
      }
    } finally {
      await lock?.release();
    }
  }

  /** `loss` and the metrics on a data set, `evalDataset` by default. Label smoothing and class weights stay out of this loss, so that runs compare. */
  async evaluate(dataset: EncodedDataset = this.options.evalDataset ?? [], { signal }: { signal?: AbortSignal } = {}): Promise<Metrics> {
    if (dataset.length === 0) throw new HeddleError("INVALID_ARGUMENT", "[Trainer] there are no rows to evaluate; pass a data set or give the trainer an evalDataset");
    const { metrics } = await this.collect(dataset, false, signal);
    if (!("loss" in metrics)) throw new HeddleError("INVALID_ARGUMENT", "[Trainer] the rows to evaluate have no labels; add them, or call predict()");
    return metrics;
  }

  /** Predictions and logits of every row, and metrics where the rows have labels. */
  async predict(dataset: EncodedDataset, { signal }: { signal?: AbortSignal } = {}): Promise<Predictions> {
    return this.collect(dataset, true, signal);
  }

  /** Frees what evaluation prepared on the device; the model stays. */
  dispose(): void {
    this.evaluator.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private async collect(dataset: EncodedDataset, logits: boolean, signal: AbortSignal | undefined): Promise<Predictions> {
    const rows = new Array<RowPrediction>(dataset.length);
    let lossSum = 0;
    let labelledRows = 0;
    for await (const { rowNumbers, predictions, loss } of this.evaluator.run(dataset, { batchSize: this.args.perDeviceEvalBatchSize, logits, signal })) {
      rowNumbers.forEach((row, i) => (rows[row] = predictions[i]!));
      if (loss === null) continue;
      lossSum += loss * rowNumbers.length;
      labelledRows += rowNumbers.length;
    }
    if (labelledRows === 0) return { rows, metrics: {} };
    const { computeMetrics = defaultMetrics, model } = this.options;
    const { problem } = this.evaluator;
    const metrics = computeMetrics({ problem, numLabels: model.config.numLabels, ...alignPredictions(problem, dataset, rows) });
    return { rows, metrics: { loss: lossSum / labelledRows, ...metrics } };
  }
}
