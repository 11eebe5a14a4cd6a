export type SchedulerType = "linear" | "cosine" | "constant" | "constant_with_warmup";

export interface ScheduleOptions {
  type: SchedulerType;
  /** The peak. */
  learningRate: number;
  warmupSteps: number;
  totalSteps: number;
}

/**
 * The learning rate of optimizer step `step`, counted from 0: that of transformers' `get_linear_schedule_with_warmup`,
 * `get_cosine_schedule_with_warmup` (half a cosine), `get_constant_schedule` and `get_constant_schedule_with_warmup`.
 */
export function learningRateAt(step: number, { type, learningRate, warmupSteps, totalSteps }: ScheduleOptions): number {
  if (type === "constant") return learningRate;
  if (step < warmupSteps) return (learningRate * step) / Math.max(1, warmupSteps);
  if (type === "constant_with_warmup") return learningRate;
  const decaySteps = Math.max(1, totalSteps - warmupSteps);
  if (type === "linear") return learningRate * Math.max(0, (totalSteps - step) / decaySteps);
  return learningRate * Math.max(0, 0.5 * (1 + Math.cos((Math.PI * (step - warmupSteps)) / decaySteps)));
}

/** Warm-up steps of a run: `warmupSteps` where given, else the share `warmupRatio` of all steps, rounded up. */
export function warmupStepsOf({ warmupSteps, warmupRatio }: { warmupSteps: number; warmupRatio: number }, totalSteps: number): number {
  return warmupSteps > 0 ? warmupSteps : Math.ceil(totalSteps * warmupRatio);
}
