import { TextClassifier, type Device, type LabelledText } from "@heddle/tasks";
import { countOf } from "../screen/format.ts";
import { TrainingProgress } from "../screen/training-progress.ts";
import { isAbort } from "../session/failure.ts";
import type { Session } from "../session/session.ts";
import { Pace, PACE_STEPS } from "./pace.ts";

/**
 * Trains with the library's defaults, and with fewer epochs only where this machine would take too long for a demo:
 * then it says so and starts again with as many as fit.
 */
export async function fitInTime(device: Device, rows: readonly LabelledText[], model: string | undefined, session: Session): Promise<TextClassifier> {
  const options = { model, ...session.revision, device, seed: session.options.seed };
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
        if (event.type === "step" && pace.isTooSlow(event.step)) tooSlow.abort();
      },
    });
  } catch (error) {
    if (session.signal.aborted || !isAbort(error, tooSlow.signal)) throw error;
  }
  const epochs = pace.epochsThatFit;
  session.status.clear();
  session.log(`${pace.secondsPerStep.toFixed(1)} s a step is slow: starting again with ${countOf(epochs, "epoch")} instead of ${pace.plan!.numTrainEpochs}, so that the demo ends soon.`);
  const shorter = new TrainingProgress(session);
  return TextClassifier.fit(rows, {
    ...options,
    trainingArguments: { loggingSteps: PACE_STEPS.from, numTrainEpochs: epochs },
    signal: session.signal,
    // What was said the first time stays true.
    onEvent: (event) => event.type !== "phase" && event.type !== "warning" && shorter.handle(event),
  });
}
