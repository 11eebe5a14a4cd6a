import { HeddleError } from "@heddle/kernels";
import type { StartEvent, Trainer } from "@heddle/training";
import type { FitRecommenderOptions } from "./types.ts";

export interface TrainedEpochs {
  readonly done: number;
  /** The epoch whose weights the model has; 0 where nothing is held out. */
  readonly best: number;
}

/** Runs a trainer and says what happens by epochs. Ends with the weights of the best evaluation, or the last ones where there is none. */
export async function trainEpochs(trainer: Trainer, { signal, resume = false, onEvent: emit = () => undefined }: FitRecommenderOptions, { before, onStart }: { readonly before: number; readonly onStart?: (event: StartEvent) => void }): Promise<TrainedEpochs> {
  let stepsPerEpoch = 1;
  // Evaluating and saving is not in an epoch's seconds.
  let startedAt = performance.now();
  for await (const event of trainer.train({ ...(signal && { signal }), resumeFromCheckpoint: resume ? "auto" : false })) {
    const epoch = "epoch" in event ? before + Math.round(event.epoch) : 0;
    if (event.type === "start") {
      stepsPerEpoch = event.stepsPerEpoch;
      onStart?.(event);
    } else if (event.type === "step") {
      emit({ type: "epoch", epoch, loss: event.loss, seconds: (performance.now() - startedAt) / 1000 });
    } else if (event.type === "evaluate") {
      const { hitRate, ndcg } = event.metrics as { hitRate: number; ndcg: number };
      emit({ type: "evaluation", epoch, hitRate, ndcg, best: event.isBest });
    } else if (event.type === "aborted") {
      const where = event.checkpoint === null ? "nothing was saved, as no outputDir was given" : `go on with { resume: true } from ${event.checkpoint}`;
      throw new HeddleError("ABORTED", `[SequentialRecommender.fit] stopped after step ${event.step}: ${where}`, { cause: signal?.reason });
    } else if (event.type === "end") {
      return { done: Math.round(event.step / stepsPerEpoch), best: (event.bestStep ?? 0) / stepsPerEpoch };
    }
    startedAt = performance.now();
  }
  throw new HeddleError("ABORTED", "[SequentialRecommender.fit] the run ended early");
}
