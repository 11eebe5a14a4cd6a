import { HeddleError } from "@heddle/kernels";
import { gbceExponent, Trainer, type EncodedRow, type NextItemLoss, type StartEvent, type TrainingArguments } from "@heddle/training";
import { architectureFor, createModel, type ItemFeatureModel, type Model } from "@heddle/transformer";
import { HeldDevice } from "../inference/device.ts";
import { throwIfAborted } from "../inference/encode.ts";
import { modelTrial } from "../inference/trial.ts";
import { Catalogue } from "./catalogue.ts";
import { countItems } from "./data/select-events.ts";
import type { RankedTargets, RankRequest } from "./evaluation/recommender.ts";
import { recommenderConfig } from "./families.ts";
import { planFeatures, withFeatures } from "./feature-training.ts";
import { holdOut, measure, requestOf } from "./held-out.ts";
import type { Interactions } from "./interactions.ts";
import type { KnownFeatures } from "./known-features.ts";
import { lessonsOf } from "./lessons.ts";
import type { RecommenderParts } from "./recommender.ts";
import type { FitRecommenderOptions, HeldOutEvent } from "./types.ts";
import { resolveSettings } from "./update/settings.ts";
import { isWatched } from "./update/watched.ts";
import { readWeights, writeWeights, type Weights } from "./weights.ts";

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
    const trainerOf = (trainDataset: readonly EncodedRow[], args: Partial<TrainingArguments>) =>
      new Trainer({
        model: trained ?? model!,
        trainDataset,
        dataCollator,
        lossOptions: { nextItemLoss: loss },
        args: { perDeviceTrainBatchSize: batchSize, loggingSteps: Math.ceil(trainDataset.length / batchSize), groupByLength: true, seed, learningRate, weightDecay, labelSmoothingFactor: labelSmoothing, maxGradNorm: 5, ...args },
      });
    const context = { recommender, trained, validation, options, emit, sizes: { numItems: itemIds.length, numWindows: windows.length, numValidation: validation.length } };
    let epochs: TrainedEpochs;
    {
      using trainer = trainerOf(windows, { lrSchedulerType, warmupRatio, numTrainEpochs: options.numTrainEpochs ?? 200 });
      epochs = await train(trainer, trained ?? model, context);
    }
    const { heldOutEpochs = Math.min(MAX_HELD_OUT_EPOCHS, epochs.best) } = options;
    if (heldOutEpochs > 0 && !options.validation) {
      const watching = options.updates && resolveSettings(options.updates, itemIds.length);
      const learnable = interactions.histories.map((history, user) => (watching && isWatched(userIds[user]!, watching) ? histories[user]! : history));
      using trainer = trainerOf(learnable.flatMap(windowsOf), { lrSchedulerType: "linear", warmupRatio: 0.1, numTrainEpochs: heldOutEpochs });
      await learnAll(trainer, epochs.done, context);
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

interface TrainContext {
  /** With features of items: it has to be baked before the recommender, which knows no features, is asked anything. */
  readonly trained: ItemFeatureModel | undefined;
  readonly recommender: Fitted;
  readonly validation: readonly HeldOutEvent[];
  readonly options: FitRecommenderOptions;
  readonly emit: NonNullable<FitRecommenderOptions["onEvent"]>;
  readonly sizes: { readonly numItems: number; readonly numWindows: number; readonly numValidation: number };
}

interface TrainedEpochs {
  readonly done: number;
  /** 0 where nothing is held out. */
  readonly best: number;
}

/** Ends with the weights of the best evaluation, or the last ones where nothing is held out. */
async function train(trainer: Trainer, model: Model, context: TrainContext): Promise<TrainedEpochs> {
  const { recommender, trained, validation, options, emit } = context;
  const { patience = 3, evalEpochs = 2, signal, numTrainEpochs = 200 } = options;
  let best = { ndcg: -1, epoch: 0, weights: null as Weights | null };
  let worseSince = 0;
  let done = 0;
  const requests = validation.map(requestOf);
  const onStart = ({ stepsPerEpoch, memory: { peakBytes } }: StartEvent) => emit({ type: "plan", device: model.device.description, ...context.sizes, numParameters: model.numParameters, stepsPerEpoch, peakBytes });
  for await (const epoch of epochsOf(trainer, context, { before: 0, onStart })) {
    done = epoch;
    if (validation.length === 0 || (epoch % evalEpochs !== 0 && epoch !== numTrainEpochs)) continue;
    await trained?.bake();
    const { hitRate, ndcg } = measure((await recommender.rankAll(requests, 0, { ...(signal && { signal }) })).ranks);
    const isBest = ndcg > best.ndcg;
    emit({ type: "evaluation", epoch, hitRate, ndcg, best: isBest });
    worseSince = isBest ? 0 : worseSince + 1;
    await trained?.restore();
    if (isBest) best = { ndcg, epoch, weights: await readWeights(model) };
    if (worseSince >= patience) break;
  }
  if (best.weights) writeWeights(model, best.weights);
  return { done, best: best.epoch };
}

/** Goes on from the best epoch with everything there is, the events that chose it among them, as a user's newest events say most of what comes next. */
async function learnAll(trainer: Trainer, before: number, context: TrainContext): Promise<void> {
  const epochs = epochsOf(trainer, context, { before });
  while (!(await epochs.next()).done);
}

/** The number of each epoch once it is trained and said. What its consumer does meanwhile is not in the next one's seconds. */
async function* epochsOf(trainer: Trainer, { options: { signal }, emit }: TrainContext, { before, onStart }: { readonly before: number; readonly onStart?: (event: StartEvent) => void }): AsyncGenerator<number, void, void> {
  let startedAt = performance.now();
  for await (const event of trainer.train({ ...(signal && { signal }) })) {
    if (event.type === "aborted") throwIfAborted(signal, "SequentialRecommender.fit");
    if (event.type === "start") onStart?.(event);
    if (event.type !== "step") continue;
    const epoch = before + Math.round(event.epoch);
    emit({ type: "epoch", epoch, loss: event.loss, seconds: (performance.now() - startedAt) / 1000 });
    yield epoch;
    startedAt = performance.now();
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
