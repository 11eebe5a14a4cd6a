import { HeddleError } from "@heddle/kernels";
import type { TrainingArguments } from "../arguments.ts";
import { warmupStepsOf } from "../schedule.ts";
import { epochOrder } from "./order.ts";

/** The extent of a run, known before it starts. */
export interface RunExtent {
  readonly batchesPerEpoch: number;
  /** Optimizer steps; the last of an epoch may average fewer batches. */
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly warmupSteps: number;
}

/** Throws INVALID_ARGUMENT for an empty data set. */
export function runExtent(args: TrainingArguments, rows: number): RunExtent {
  if (rows === 0) throw new HeddleError("INVALID_ARGUMENT", "[Trainer] trainDataset has no rows; pass at least one");
  const batchesPerEpoch = Math.ceil(rows / args.perDeviceTrainBatchSize);
  const stepsPerEpoch = Math.ceil(batchesPerEpoch / args.gradientAccumulationSteps);
  const totalSteps = args.maxSteps > 0 ? args.maxSteps : Math.ceil(args.numTrainEpochs * stepsPerEpoch);
  return { batchesPerEpoch, stepsPerEpoch, totalSteps, warmupSteps: warmupStepsOf(args, totalSteps) };
}

/** One optimizer step to come. */
export interface PlannedStep {
  /** Counted from 0. */
  readonly index: number;
  /** Counted from 0. */
  readonly epoch: number;
  /** Row numbers of each batch whose gradients are averaged. */
  readonly batches: readonly (readonly number[])[];
  /** Epochs done after this step, as a fraction. */
  readonly epochsDone: number;
  /** The last step of its epoch or of the run. */
  readonly endsEpoch: boolean;
}

/** The steps of a run from `firstStep` on: the same whether a run was interrupted before it or not. */
export function* stepsFrom(firstStep: number, { stepsPerEpoch, totalSteps }: RunExtent, args: TrainingArguments, lengths: readonly number[]): Generator<PlannedStep> {
  const { perDeviceTrainBatchSize: batchSize, gradientAccumulationSteps, seed, groupByLength } = args;
  let order: number[][] = [];
  let orderedEpoch = -1;
  for (let index = firstStep; index < totalSteps; index++) {
    const epoch = Math.floor(index / stepsPerEpoch);
    const stepInEpoch = index % stepsPerEpoch;
    if (epoch !== orderedEpoch) {
      order = epochOrder({ lengths, batchSize, seed, epoch, groupByLength });
      orderedEpoch = epoch;
    }
    yield {
      index,
      epoch,
      batches: order.slice(stepInEpoch * gradientAccumulationSteps, (stepInEpoch + 1) * gradientAccumulationSteps),
      epochsDone: (index + 1) / stepsPerEpoch,
      endsEpoch: stepInEpoch === stepsPerEpoch - 1 || index === totalSteps - 1,
    };
  }
}
