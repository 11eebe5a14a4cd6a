import { TextClassifier, type Device, type FitPlanEvent, type LabelledText } from "@heddle/tasks";
import { countOf } from "../screen/format.ts";
import { TrainingProgress } from "../screen/training-progress.ts";
import { isAbort } from "../session/failure.ts";
import type { Session } from "../session/session.ts";

/** Leaves room for set-up within the five minutes that the demo may take. */
const TRAINING_SECONDS = 150;
const LEAST_EPOCHS = 3;
/** The first steps also compile; the pace is measured between these two. */
const PACE_STEPS = { from: 5, to: 10 } as const;

/**
 * Trains with the library's defaults, and with fewer epochs only where this machine would take too long for a demo:
 * then it says so and starts again with as many as fit.
 */
export async function fitInTime(device: Device, rows: readonly LabelledText[], model: string | undefined, session: Session): Promise<TextClassifier> {
  const options = { model, device, seed: session.options.seed };
  const pace = new Pace();
  const tooSlow = new AbortController();
  const progress = new TrainingProgress(session);
  try {
    return await TextClassifier.fit(rows, {
      ...options,
      trainingArguments: { loggingSteps: PACE_STEPS.from },
      signal: AbortSignal.any([session.signal, tooSlow.signal]),
      onEvent: (event) => {
        progress.handle(event);
        if (event.type === "plan") pace.plan = event;
        if (event.type === "step" && pace.epochsThatFit(event.step) !== undefined) tooSlow.abort();
      },
    });
  } catch (error) {
    if (session.signal.aborted || !isAbort(error, tooSlow.signal)) throw error;
  }
  const epochs = pace.fitting!;
  session.status.clear();
  session.log(`This adapter takes ${pace.secondsPerStep!.toFixed(1)} s a step: the demo starts again with ${countOf(epochs, "epoch")} instead of ${pace.plan!.numTrainEpochs}, to be done in some minutes.`);
  const shorter = new TrainingProgress(session);
  return TextClassifier.fit(rows, {
    ...options,
    trainingArguments: { loggingSteps: PACE_STEPS.from, numTrainEpochs: epochs },
    signal: session.signal,
    // What was said the first time stays true.
    onEvent: (event) => event.type !== "phase" && event.type !== "warning" && shorter.handle(event),
  });
}

/** How long a step takes here, and how many epochs that allows. */
class Pace {
  plan: FitPlanEvent | undefined;
  secondsPerStep: number | undefined;
  /** Set where the plan takes too long. */
  fitting: number | undefined;
  #fromMs = 0;

  epochsThatFit(step: number): number | undefined {
    if (step === PACE_STEPS.from) this.#fromMs = performance.now();
    if (step !== PACE_STEPS.to) return undefined;
    const { totalSteps, numTrainEpochs } = this.plan!;
    this.secondsPerStep = (performance.now() - this.#fromMs) / 1000 / (PACE_STEPS.to - PACE_STEPS.from);
    if (this.secondsPerStep * totalSteps <= TRAINING_SECONDS) return undefined;
    const fitting = Math.max(LEAST_EPOCHS, Math.floor((TRAINING_SECONDS / this.secondsPerStep / totalSteps) * numTrainEpochs));
    this.fitting = fitting < numTrainEpochs ? fitting : undefined;
    return this.fitting;
  }
}
