import type { TrainingArguments } from "@heddle/training";
import type { DownloadProgress, HubAccess, ModelFolderSource } from "@heddle/transformer";
import type { DeviceChoice } from "../inference/device.ts";
import type { FunctionToApply } from "./scores.ts";

/** One row of training or evaluation data. Labels are any strings; numbers are taken as their text. */
export interface LabelledText {
  readonly text: string;
  readonly label: string | number;
}

/** One answer of a classifier. All scores of a text add up to 1 (softmax), unless the model gives several labels at once. */
export interface Classification {
  readonly label: string;
  readonly score: number;
}

/** What may be changed about a training run; whatever is absent comes from the recipe. */
export type TrainingOverrides = Partial<Omit<TrainingArguments, "outputDir" | "seed">>;

export interface FitOptions extends HubAccess {
  /** Default: a stratified tenth of the rows is held out. */
  readonly evalRows?: readonly LabelledText[];
  /** A model to fine-tune: a folder (its path, its address, its files), or one of the Hugging Face Hub. Default: a small encoder of its own, from scratch. */
  readonly model?: ModelFolderSource;
  /** The kind of tokenizer to train where no `model` brings one. Default "wordpiece". */
  readonly tokenizer?: "wordpiece" | "byte-level-bpe";
  readonly device?: DeviceChoice;
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

/** What `fit` says while it works, in this order: plan, then steps with evaluations between them; warnings at any time. */
export type FitEvent = DownloadProgress | FitPhaseEvent | FitPlanEvent | FitStepEvent | FitEvaluationEvent | FitCheckpointEvent | WarningEvent;

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
  /** Steps done before a resumed run; 0 for a new one. */
  readonly resumedStep: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Device memory that a training step holds, known beforehand; 0 on the reference device. */
  readonly peakBytes: number;
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

/** On the evaluation rows whose label occurs in training; the final report counts the others as wrong. */
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

export type WarningCode = "LABEL_NEVER_TRAINED" | "LABEL_RARE" | "TEXT_TRUNCATED";

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
  /** Default: what the model was trained with. */
  readonly functionToApply?: FunctionToApply;
  /** Most texts that go through the model at once. Default 32. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onWarning?: (warning: WarningEvent) => void;
}

export interface EvaluateOptions {
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
}

/** What is known about the run that made a classifier. */
export interface FitSummary {
  readonly plan: FitPlanEvent;
  /** Of the epoch that was kept, on the evaluation rows. */
  readonly evaluation: EvaluationReport;
  readonly bestEpoch: number;
  readonly steps: number;
  /** Of training and the evaluations in between. */
  readonly seconds: number;
  /** Without padding; the last steps weigh most. */
  readonly tokensPerSecond: number;
}
