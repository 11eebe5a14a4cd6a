import type { MemoryPlan } from "@heddle/kernels";
import type { Metrics } from "./metrics/evaluation.ts";

/** What `trainer.train()` yields. Steps are counted from 1: `step` optimizer steps are done. */
export type TrainingEvent = StartEvent | StepEvent | EvaluateEvent | SaveEvent | AbortedEvent | EndEvent;

export interface StartEvent {
  readonly type: "start";
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  /** Steps done before a resumed run; 0 for a new one. */
  readonly resumedStep: number;
  /** What a step on the longest batch holds, before anything is allocated for it. */
  readonly memory: MemoryPlan;
}

/** Every `loggingSteps` steps. */
export interface StepEvent {
  readonly type: "step";
  readonly step: number;
  /** Epochs done, as a fraction. */
  readonly epoch: number;
  /** Mean over the steps since the last such event. */
  readonly loss: number;
  /** Of this step. */
  readonly learningRate: number;
  /** Of this step, before clipping. */
  readonly gradNorm: number;
  /** Without padding, since the last such event. */
  readonly tokensPerSecond: number;
}

export interface EvaluateEvent {
  readonly type: "evaluate";
  readonly step: number;
  readonly epoch: number;
  /** `loss` and what `computeMetrics` returned, or what the trainer's `evaluate` did. */
  readonly metrics: Metrics;
  /** By `metricForBestModel`, so far; false without `loadBestModelAtEnd`. */
  readonly isBest: boolean;
}

export interface SaveEvent {
  readonly type: "save";
  readonly step: number;
  readonly path: string;
}

/** The last event of a run whose signal fired. The model holds the weights of `step`. */
export interface AbortedEvent {
  readonly type: "aborted";
  readonly step: number;
  /** The checkpoint to resume from; null without `outputDir`. */
  readonly checkpoint: string | null;
}

export interface EndEvent {
  readonly type: "end";
  readonly step: number;
  /** Mean over the steps of the whole run that this process did. */
  readonly trainLoss: number;
  readonly seconds: number;
  /** Metric of the best evaluation; null without `loadBestModelAtEnd`. */
  readonly bestMetric: number | null;
  /** The step that it followed. */
  readonly bestStep: number | null;
  /** Where the best weights came from; null where they were kept in memory or nothing was chosen. */
  readonly bestModelCheckpoint: string | null;
}
