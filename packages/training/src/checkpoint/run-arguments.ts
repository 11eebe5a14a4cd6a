import type { TrainingArguments } from "../arguments.ts";
import type { TrainerState } from "./trainer-state.ts";

/** The arguments that decide the weights. The others (how often to log, evaluate, save) may change when a run goes on. */
const DECISIVE = [
  "numTrainEpochs",
  "maxSteps",
  "perDeviceTrainBatchSize",
  "gradientAccumulationSteps",
  "learningRate",
  "weightDecay",
  "adamBeta1",
  "adamBeta2",
  "adamEpsilon",
  "maxGradNorm",
  "lrSchedulerType",
  "warmupRatio",
  "warmupSteps",
  "labelSmoothingFactor",
  "groupByLength",
  "seed",
] as const satisfies readonly (keyof TrainingArguments)[];

/** What beside the arguments decides the weights. */
export interface DecisiveOptions {
  emaDecay?: number;
  classWeights?: readonly number[];
  tokenDropout?: object;
  nextItemLoss?: object;
}

export function decisiveArguments(args: TrainingArguments, { emaDecay, classWeights, tokenDropout, nextItemLoss }: DecisiveOptions): TrainerState["heddle"]["arguments"] {
  return {
    ...Object.fromEntries(DECISIVE.map((name) => [name, args[name]])),
    emaDecay: emaDecay ?? null,
    classWeights: classWeights ? JSON.stringify(classWeights) : null,
    tokenDropout: tokenDropout ? JSON.stringify(tokenDropout) : null,
    ...(nextItemLoss && { nextItemLoss: JSON.stringify(nextItemLoss) }),
  };
}
