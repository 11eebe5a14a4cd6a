import type { Device } from "@heddle/kernels";

/** One row of training or evaluation data. Labels are any strings; numbers are taken as their text. */
export interface LabelledText {
  readonly text: string;
  readonly label: string | number;
}

/** One answer of a classifier. Scores of one text add up to 1 (softmax). */
export interface Classification {
  readonly label: string;
  readonly score: number;
}

export type DeviceChoice = "auto" | "webgpu" | "reference";

/** What may be changed about a training run; whatever is absent comes from the recipe. Names of Hugging Face's TrainingArguments. */
export interface TrainingOverrides {
  readonly numTrainEpochs?: number;
  /** Overrides `numTrainEpochs` where positive. */
  readonly maxSteps?: number;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly warmupRatio?: number;
  readonly lrSchedulerType?: "linear" | "cosine" | "constant";
  readonly perDeviceTrainBatchSize?: number;
  readonly perDeviceEvalBatchSize?: number;
  readonly labelSmoothingFactor?: number;
  readonly maxGradNorm?: number;
  readonly loggingSteps?: number;
  /** Checkpoints go to `outputDir` every so many steps; default once per epoch. */
  readonly saveSteps?: number;
}

export interface FitOptions {
  /** Default: a stratified tenth of the rows is held out. */
  readonly evalRows?: readonly LabelledText[];
  /** A model folder to fine-tune (path, address or files). Default: a small encoder of its own, from scratch. */
  readonly model?: ModelSource;
  /** The kind of tokenizer to train where no `model` brings one. Default "wordpiece". */
  readonly tokenizer?: "wordpiece" | "byte-level-bpe";
  readonly device?: Device | DeviceChoice;
  /** Default 42. Same rows, options and adapter, same seed: the same model. */
  readonly seed?: number;
  /** Longest input in tokens. Default: from the data. */
  readonly maxLength?: number;
  /** Where checkpoints go while training (Node). Without it nothing is written. */
  readonly outputDir?: string;
  /** Go on from the newest checkpoint in `outputDir`, if there is one. */
  readonly resume?: boolean;
  readonly trainingArguments?: TrainingOverrides;
  /** Stops after the current step, saves a checkpoint where `outputDir` is given, and rejects with code ABORTED. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: FitEvent) => void;
}

/** A path (Node), an address, or files that a user picked. */
export type ModelSource = string | URL | readonly File[];

/** What `fit` says while it works, in this order: plan, then steps with evaluations between them; warnings at any time. */
export type FitEvent = FitPhaseEvent | FitPlanEvent | FitStepEvent | FitEvaluationEvent | FitCheckpointEvent | WarningEvent;

/** A slow piece of preparation begins. */
export interface FitPhaseEvent {
  readonly type: "phase";
  readonly phase: "device" | "tokenizer" | "encoding" | "model" | "compiling" | "evaluating";
  /** For people, e.g. "training a WordPiece tokenizer on 67,349 texts". */
  readonly message: string;
}

/** Everything that was decided, before the first step. */
export interface FitPlanEvent {
  readonly type: "plan";
  readonly device: string;
  readonly labels: readonly string[];
  readonly numTrainRows: number;
  readonly numEvalRows: number;
  /** Share of the most frequent training label among the evaluation rows: what a model has to beat. */
  readonly majorityAccuracy: number;
  readonly numParameters: number;
  readonly vocabSize: number;
  readonly maxLength: number;
  readonly numTrainEpochs: number;
  readonly totalSteps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly fineTuned: boolean;
}

export interface FitStepEvent {
  readonly type: "step";
  /** Optimiser steps done. */
  readonly step: number;
  readonly totalSteps: number;
  /** Fractional. */
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Real tokens, without padding. */
  readonly tokensPerSecond: number;
}

export interface FitEvaluationEvent {
  readonly type: "evaluation";
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly f1Macro: number;
  /** True where this is the best epoch so far, the one that is kept. */
  readonly best: boolean;
}

export interface FitCheckpointEvent {
  readonly type: "checkpoint";
  readonly step: number;
  readonly folder: string;
}

export type WarningCode = "LABEL_NEVER_TRAINED" | "LABEL_RARE" | "TEXT_TRUNCATED" | "TEXT_EMPTY" | "LABELS_FEW_EVALUATED";

export interface WarningEvent {
  readonly type: "warning";
  readonly code: WarningCode;
  /** What is odd and what to do about it. */
  readonly message: string;
}

export interface ClassScores {
  readonly label: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Rows with this label. */
  readonly support: number;
}

/** How good a classifier is on labelled rows. */
export interface EvaluationReport {
  readonly numRows: number;
  readonly accuracy: number;
  /** Mean of the classes' F1 over the labels that occur in the rows or the predictions, as scikit-learn has it. */
  readonly f1Macro: number;
  readonly f1Micro: number;
  readonly perClass: readonly ClassScores[];
  readonly confusion: {
    /** The model's labels, then those of the rows that it never saw. */
    readonly labels: readonly string[];
    /** counts[actual][predicted]. */
    readonly counts: readonly (readonly number[])[];
  };
  readonly warnings: readonly WarningEvent[];
}

export interface ClassifyOptions {
  /** How many labels a text gets, best first. Default 1. `null`: all. */
  readonly topK?: number | null;
  readonly signal?: AbortSignal;
  readonly onWarning?: (warning: WarningEvent) => void;
}

export interface LoadOptions {
  readonly device?: Device | DeviceChoice;
  readonly signal?: AbortSignal;
}

/** What is known about the run that made a classifier. */
export interface FitSummary {
  readonly plan: FitPlanEvent;
  /** Of the epoch that was kept, on the evaluation rows. */
  readonly evaluation: EvaluationReport;
  readonly bestEpoch: number;
  readonly steps: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
}
