import type { FitPlanEvent } from "@heddle/tasks";

/** Leaves room for set-up within the five minutes that the demo may take. */
const TRAINING_SECONDS = 130;
/** A little more is better than to start again. */
const LONGEST_SECONDS = 160;
const LEAST_EPOCHS = 3;
/** The first steps also compile; the pace is measured between these two. */
export const PACE_STEPS = { from: 5, to: 10 } as const;

/** How long a training step takes here, and how many epochs fit into a demo at that pace. */
export class Pace {
  plan: FitPlanEvent | undefined;
  #fromMs = 0;
  #secondsPerStep = 0;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  get secondsPerStep(): number {
    return this.#secondsPerStep;
  }

  /** To be told of both PACE_STEPS; true at the second one where the plan would take too long and can be shortened. */
  isTooSlow(step: number): boolean {
    if (step === PACE_STEPS.from) this.#fromMs = this.nowMs();
    if (step !== PACE_STEPS.to) return false;
    this.#secondsPerStep = (this.nowMs() - this.#fromMs) / 1000 / (PACE_STEPS.to - PACE_STEPS.from);
    return this.#secondsPerStep * this.plan!.totalSteps > LONGEST_SECONDS && this.epochsThatFit < this.plan!.numTrainEpochs;
  }

  get epochsThatFit(): number {
    const { totalSteps, numTrainEpochs } = this.plan!;
    return Math.max(LEAST_EPOCHS, Math.floor((TRAINING_SECONDS / this.#secondsPerStep / totalSteps) * numTrainEpochs));
  }
}
