import { HeddleError } from "@heddle/kernels";
import { gbceExponent, Trainer, type EncodedRow, type NextItemLoss, type TrainerOptions, type TrainingArguments } from "@heddle/training";
import { architectureFor, createModel, type Model } from "@heddle/transformer";
import { HeldDevice } from "../inference/device.ts";
import { modelTrial } from "../inference/trial.ts";
import { Catalogue } from "./catalogue.ts";
import { countItems } from "./data/select-events.ts";
import type { RankedTargets, RankRequest } from "./evaluation/recommender.ts";
import { recommenderConfig } from "./families.ts";
import { trainEpochs, type TrainedEpochs } from "./epochs.ts";
import { planFeatures, withFeatures } from "./feature-training.ts";
import { holdOut, measure, requestOf } from "./held-out.ts";
import type { Interactions } from "./interactions.ts";
import type { KnownFeatures } from "./known-features.ts";
import { lessonsOf } from "./lessons.ts";
import type { RecommenderParts } from "./recommender.ts";
import type { FitRecommenderOptions } from "./types.ts";
import { resolveSettings } from "./update/settings.ts";
import { isWatched } from "./update/watched.ts";

/** Of the epochs over everything: on Beauty 8 were better than 4, and 4 than 2, by an event that none of them learnt. */
const MAX_HELD_OUT_EPOCHS = 8;

/** A window that holds three of four histories whole, of 50 events at least and 200 at most. */
function windowFor({ histories }: Interactions): number {
  const lengths = histories.map(({ length }) => length).sort((a, b) => a - b);
  const wanted = lengths[Math.floor(lengths.length * 0.75)] ?? 0;
  return Math.min(200, Math.max(50, Math.ceil(wanted / 50) * 50));
}

/** Half where histories are short, and less where there is more to learn from: 0.5 on Amazon Beauty (9 events a user), 0.3 on MovieLens-1M (165). */
function dropoutFor({ histories }: Interactions): number {
  const events = histories.reduce((sum, { length }) => sum + length, 0);
  return events < 50 * histories.length ? 0.5 : 0.3;
}

/** Half of the usual 128 where an epoch would have fewer than 128 steps: MovieLens-1M is as good after two thirds of the epochs then, which take about as long. */
const batchSizeFor = (numWindows: number): number => (numWindows < 128 * 128 ? 64 : 128);

/** What `fit` needs of the recommender that it trains. */
interface Fitted {
  rankAll(requests: readonly RankRequest[], topK: number, options: { readonly signal?: AbortSignal }): Promise<RankedTargets>;
  dispose(): void;
}

/**
 * A model of one's own: windows of every history, AdamW, and the epoch that ranks held-out events best.
 *
 * @param finish makes the recommender, which owns what it is given
 */
export async function fitRecommender<R extends Fitted>(interactions: Interactions, options: FitRecommenderOptions, finish: (parts: RecommenderParts) => R): Promise<R> {
  const { model: modelType = "sasrec", maxLength = windowFor(interactions), hiddenSize = 64, numHiddenLayers = 2, numAttentionHeads = 2, dropout = dropoutFor(interactions), learningRate = 1e-3, weightDecay = 0, labelSmoothing = 0, lrSchedulerType = "constant", warmupRatio = 0, seed = 42, onEvent: emit = () => undefined } = options;
  const { itemIds, userIds } = interactions;
  const { histories, validation } = holdOut(interactions, options.validation);
  if (!histories.some(({ length }) => length > 1)) throw new HeddleError("DATA_EMPTY", `[SequentialRecommender.fit] none of ${userIds.length} users has two events to learn from${options.validation ? "" : " beside the last one, which is held out"}: give more interactions`);
  const { loss, numNegatives } = lossOf(options, itemIds.length);
  const config = recommenderConfig(modelType, { numItems: itemIds.length, maxLength, hiddenSize, numHiddenLayers, numAttentionHeads, dropout }, options);
  const { windowsOf, collator: dataCollator } = lessonsOf(config, { ...options, numNegatives });
  const windows = histories.flatMap(windowsOf);
  const { batchSize = batchSizeFor(windows.length) } = options;
  const planned = planFeatures(itemIds, options);
  const catalogue = new Catalogue(itemIds, [...countItems(interactions.histories, itemIds.length)]);
  const architecture = architectureFor(modelType, "next-item");
  const held = new HeldDevice(options.device, undefined);
  let recommender: R | undefined;
  let model: Model | undefined;
  let features: KnownFeatures | undefined;
  try {
    const device = await held.open(() => modelTrial(architecture, config, { batchSize, length: maxLength }));
    model = createModel(device, architecture, config, seed);
    const learner = planned && withFeatures(model, planned, seed);
    using trained = learner?.trained;
    features = learner?.features;
    const byUser = new Map(userIds.map((userId, user) => [userId, interactions.histories[user]!]));
    recommender = finish({ model, catalogue, histories: byUser, features, updates: options.updates, release: () => held.release() });
    const stepsOver = ({ length }: readonly EncodedRow[]): number => Math.ceil(length / batchSize);
    const stepsPerEpoch = stepsOver(windows);
    const trainerOf = (trainDataset: readonly EncodedRow[], args: Partial<TrainingArguments>, more: Partial<TrainerOptions> = {}) =>
      new Trainer({
        model: trained ?? model!,
        trainDataset,
        dataCollator,
        lossOptions: { nextItemLoss: loss },
        args: { perDeviceTrainBatchSize: batchSize, loggingSteps: stepsOver(trainDataset), groupByLength: true, seed, learningRate, weightDecay, labelSmoothingFactor: labelSmoothing, maxGradNorm: 5, ...args },
        ...more,
      });
    const requests = validation.map(requestOf);
    const evaluate = async (evaluationSignal: AbortSignal | undefined) => {
      await trained?.bake();
      try {
        return measure((await recommender!.rankAll(requests, 0, { ...(evaluationSignal && { signal: evaluationSignal }) })).ranks);
      } finally {
        await trained?.restore();
      }
    };
    const { numTrainEpochs = 200, patience = 3, evalEpochs = 2, outputDir } = options;
    let found: TrainedEpochs;
    {
      const evalSteps = evalEpochs * stepsPerEpoch;
      const every = { evalSteps, ...(outputDir !== undefined && { outputDir, saveStrategy: "steps" as const, saveSteps: evalSteps, saveTotalLimit: 1 }) };
      const choice = validation.length > 0 && { evalStrategy: "steps" as const, loadBestModelAtEnd: true, metricForBestModel: "ndcg" };
      using trainer = trainerOf(windows, { lrSchedulerType, warmupRatio, numTrainEpochs, ...every, ...choice }, choice ? { evaluate, earlyStoppingPatience: patience } : {});
      const plan = { device: device.description, numItems: itemIds.length, numWindows: windows.length, numValidation: validation.length, numParameters: model.numParameters };
      found = await trainEpochs(trainer, options, { before: 0, onStart: ({ memory, resumedStep }) => emit({ type: "plan", ...plan, stepsPerEpoch, peakBytes: memory.peakBytes, resumedEpoch: Math.floor(resumedStep / stepsPerEpoch) }) });
    }
    const { heldOutEpochs = Math.min(MAX_HELD_OUT_EPOCHS, found.best) } = options;
    const learnsAll = heldOutEpochs > 0 && !options.validation;
    emit({ type: "chosen", epoch: found.best || found.done, heldOutEpochs: learnsAll ? heldOutEpochs : 0 });
    // Goes on from the best epoch with everything there is, the events that chose it among them, as a user's newest events say most of what comes next.
    if (learnsAll) {
      const watching = options.updates && resolveSettings(options.updates, itemIds.length);
      const learnable = interactions.histories.map((history, user) => (watching && isWatched(userIds[user]!, watching) ? histories[user]! : history));
      const saving = outputDir !== undefined && { outputDir: `${outputDir}/everything`, saveStrategy: "epoch" as const, saveTotalLimit: 1 };
      using trainer = trainerOf(learnable.flatMap(windowsOf), { lrSchedulerType: "linear", warmupRatio: 0.1, numTrainEpochs: heldOutEpochs, ...saving });
      await trainEpochs(trainer, options, { before: found.done });
    }
    await trained?.bake();
    return recommender;
  } catch (error) {
    if (recommender) recommender.dispose();
    else {
      model?.dispose();
      features?.encoder.dispose();
      held.release();
    }
    throw error;
  }
}

function lossOf({ loss = "softmax", numNegatives = 256, calibration = 0.75 }: FitRecommenderOptions, numItems: number): { loss: NextItemLoss; numNegatives: number } {
  switch (loss) {
    case "softmax":
      return { loss: { type: loss }, numNegatives: 0 };
    case "sampled-softmax":
      return { loss: { type: loss, numItems }, numNegatives };
    case "bce":
      return { loss: { type: loss }, numNegatives };
    case "gbce":
      return { loss: { type: loss, exponent: gbceExponent(numNegatives, numItems, calibration) }, numNegatives };
  }
}
