import { HeddleError } from "@heddle/kernels";
import type { SchedulerType } from "./schedule.ts";

export type IntervalStrategy = "no" | "epoch" | "steps";

/**
 * The hyper-parameters of a run: names and defaults of Hugging Face's `TrainingArguments`, in camelCase. Batch sizes are
 * rows a device; there is one device.
 */
export interface TrainingArguments {
  /** Where checkpoints go; null keeps nothing on disk. */
  readonly outputDir: string | null;
  readonly numTrainEpochs: number;
  /** Optimizer steps in all; above 0 it overrides `numTrainEpochs`. */
  readonly maxSteps: number;
  readonly perDeviceTrainBatchSize: number;
  readonly perDeviceEvalBatchSize: number;
  /** Batches whose gradients are averaged for one optimizer step. */
  readonly gradientAccumulationSteps: number;
  /** The peak that the schedule reaches after warm-up. */
  readonly learningRate: number;
  /** Decoupled; biases and layer norms are spared, as transformers' Trainer does (see `decayParameters`). */
  readonly weightDecay: number;
  readonly adamBeta1: number;
  readonly adamBeta2: number;
  readonly adamEpsilon: number;
  /** Gradients are scaled down to this global norm; 0 does not clip. */
  readonly maxGradNorm: number;
  readonly lrSchedulerType: SchedulerType;
  /** Share of all steps spent on warm-up; `warmupSteps` above 0 overrides it. */
  readonly warmupRatio: number;
  readonly warmupSteps: number;
  readonly labelSmoothingFactor: number;
  readonly loggingSteps: number;
  readonly evalStrategy: IntervalStrategy;
  /** Steps between evaluations; null: as `loggingSteps`. */
  readonly evalSteps: number | null;
  readonly saveStrategy: IntervalStrategy;
  readonly saveSteps: number;
  /** Newest checkpoints to keep, the best one always among them; null keeps all. */
  readonly saveTotalLimit: number | null;
  readonly loadBestModelAtEnd: boolean;
  /** A key of what `computeMetrics` returns, or `loss`, which decides too where evaluations are equal. */
  readonly metricForBestModel: string;
  /** null: true unless the metric's name ends in `loss`. */
  readonly greaterIsBetter: boolean | null;
  /** Batches of rows of similar length: less padding, the same rows every epoch. */
  readonly groupByLength: boolean;
  readonly seed: number;
}

export const defaultTrainingArguments: TrainingArguments = {
  outputDir: null,
  numTrainEpochs: 3,
  maxSteps: -1,
  perDeviceTrainBatchSize: 8,
  perDeviceEvalBatchSize: 8,
  gradientAccumulationSteps: 1,
  learningRate: 5e-5,
  weightDecay: 0,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  maxGradNorm: 1,
  lrSchedulerType: "linear",
  warmupRatio: 0,
  warmupSteps: 0,
  labelSmoothingFactor: 0,
  loggingSteps: 500,
  evalStrategy: "no",
  evalSteps: null,
  saveStrategy: "no",
  saveSteps: 500,
  saveTotalLimit: null,
  loadBestModelAtEnd: false,
  metricForBestModel: "loss",
  greaterIsBetter: null,
  groupByLength: false,
  seed: 42,
};

interface Rule {
  readonly wanted: string;
  readonly holds: (value: number) => boolean;
}

const wholeFrom = (least: number): Rule => ({ wanted: `a whole number of at least ${least}`, holds: (value) => Number.isSafeInteger(value) && value >= least });
const from0: Rule = { wanted: "a finite number of at least 0", holds: (value) => Number.isFinite(value) && value >= 0 };
const above0: Rule = { wanted: "a finite number above 0", holds: (value) => Number.isFinite(value) && value > 0 };
const below1: Rule = { wanted: "a number in [0, 1)", holds: (value) => value >= 0 && value < 1 };
const share: Rule = { wanted: "a number in [0, 1]", holds: (value) => value >= 0 && value <= 1 };

const numberRules: Partial<Record<keyof TrainingArguments, Rule>> = {
  numTrainEpochs: above0,
  maxSteps: { wanted: "a whole number above 0, or -1 to train for numTrainEpochs", holds: (value) => Number.isSafeInteger(value) && (value === -1 || value > 0) },
  perDeviceTrainBatchSize: wholeFrom(1),
  perDeviceEvalBatchSize: wholeFrom(1),
  gradientAccumulationSteps: wholeFrom(1),
  learningRate: from0,
  weightDecay: from0,
  adamBeta1: below1,
  adamBeta2: below1,
  adamEpsilon: above0,
  maxGradNorm: from0,
  warmupRatio: share,
  warmupSteps: wholeFrom(0),
  labelSmoothingFactor: below1,
  loggingSteps: wholeFrom(1),
  evalSteps: wholeFrom(1),
  saveSteps: wholeFrom(1),
  saveTotalLimit: wholeFrom(1),
  seed: { wanted: "a whole number in [0, 2³²)", holds: (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32 },
};

const choices: Partial<Record<keyof TrainingArguments, readonly string[]>> = {
  lrSchedulerType: ["linear", "cosine", "constant", "constant_with_warmup"],
  evalStrategy: ["no", "epoch", "steps"],
  saveStrategy: ["no", "epoch", "steps"],
};

/** Fills in the defaults and checks everything. Throws INVALID_ARGUMENT. */
export function resolveTrainingArguments(options: Partial<TrainingArguments> = {}): TrainingArguments {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(defaultTrainingArguments, name));
  if (unknown !== undefined) throw invalid(`there is no ${unknown}; known are ${Object.keys(defaultTrainingArguments).join(", ")}`);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const args: TrainingArguments = { ...defaultTrainingArguments, ...Object.fromEntries(given) };
  for (const [name, rule] of Object.entries(numberRules)) {
    const value = args[name as keyof TrainingArguments];
    if (value === null && defaultTrainingArguments[name as keyof TrainingArguments] === null) continue;
    if (typeof value !== "number" || !rule.holds(value)) throw invalid(`${name} must be ${rule.wanted}, it is ${String(value)}`);
  }
  for (const [name, known] of Object.entries(choices)) {
    const value = args[name as keyof TrainingArguments];
    if (!known.includes(value as string)) throw invalid(`${name} must be one of ${known.join(", ")}, it is ${JSON.stringify(value)}`);
  }
  checkTogether(args);
  return args;
}

function checkTogether(args: TrainingArguments): void {
  if (args.saveStrategy !== "no" && args.outputDir === null) throw invalid(`saveStrategy is ${args.saveStrategy}, but there is no outputDir; give a folder or set saveStrategy to "no"`);
  if (!args.loadBestModelAtEnd) return;
  if (args.evalStrategy === "no") throw invalid(`loadBestModelAtEnd needs evaluations; set evalStrategy to "epoch" or "steps"`);
  // Without a folder the best weights are kept in memory, at every evaluation.
  if (args.outputDir === null) return;
  if (args.saveStrategy !== args.evalStrategy) {
    throw invalid(`loadBestModelAtEnd needs a checkpoint at every evaluation; saveStrategy is ${args.saveStrategy} and evalStrategy ${args.evalStrategy}, set both to the same`);
  }
  if (args.saveStrategy === "steps" && args.saveSteps % evalInterval(args) !== 0) {
    throw invalid(`loadBestModelAtEnd needs saveSteps (${args.saveSteps}) to be a multiple of evalSteps (${evalInterval(args)})`);
  }
}

/** Steps between evaluations where `evalStrategy` is "steps". */
export function evalInterval({ evalSteps, loggingSteps }: TrainingArguments): number {
  return evalSteps ?? loggingSteps;
}

/** Whether `candidate` beats `best` by the metric that chooses the best checkpoint. */
export function isBetter({ metricForBestModel, greaterIsBetter }: TrainingArguments, candidate: number, best: number | null): boolean {
  if (best === null || Number.isNaN(best)) return true;
  return (greaterIsBetter ?? !metricForBestModel.endsWith("loss")) ? candidate > best : candidate < best;
}

function invalid(message: string): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `[TrainingArguments] ${message}`);
}
