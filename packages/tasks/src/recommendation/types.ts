import type { TrainingArguments } from "@heddle/training";
import type { DeviceChoice } from "../inference/device.ts";
import type { LoadingOptions } from "../inference/loading.ts";
import type { HiddenAct } from "@heddle/transformer";
import type { RecommenderModel } from "./families.ts";
import type { Interactions } from "./interactions.ts";
import type { ItemFeatures, UnknownFeatures } from "./item-features.ts";
import type { UpdateSettings } from "./update/types.ts";

export interface LoadRecommenderOptions extends Omit<LoadingOptions, "dtype"> {
  /** The items' own ids, in the order of the model's rows, where the folder does not tell them. Default: "1", "2", "3" … */
  readonly itemIds?: readonly string[];
  /** Who touched what: for `userId`, and for what is popular. A folder has neither histories nor names of users. */
  readonly interactions?: Interactions;
  /** How `update` learns. */
  readonly updates?: UpdateSettings;
}

export interface RecommendRequest {
  /** Items that the visitor touched, oldest first. Only the newest count, as many as the model's window holds. */
  readonly history?: readonly string[];
  /** A user of the interactions that the recommender was given. One whom nobody knows gets what is popular, marked so. */
  readonly userId?: string;
  /** Default 10. Fewer come back where fewer are left. */
  readonly topK?: number;
  /** Whether what the visitor touched before is left out. Default true. */
  readonly excludeSeen?: boolean;
  /** Which items may be recommended. Asked for the best few hundred, and only where too few of these may come for the whole catalogue. */
  readonly filter?: (itemId: string) => boolean;
  /**
   * How much it counts that the items differ, from 0, best first and the default, to 1: by maximal marginal relevance over the items'
   * embeddings, among the best 200, or twice topK where that is more. Items then come in the order in which they are chosen, each
   * still with the model's score. What is merely popular keeps its order.
   */
  readonly diversity?: number;
}

export interface Recommendation {
  readonly itemId: string;
  /** The model's score, larger for likelier; of what is merely popular, how often it was touched. */
  readonly score: number;
  /** There where nothing is known of the visitor: these are the items touched most. */
  readonly fallback?: "popularity";
}

export interface SimilarItem {
  readonly itemId: string;
  /** Cosine of the two items' embeddings. */
  readonly score: number;
}

export interface ExplainRequest {
  /** Items that the visitor touched, oldest first; one at least. */
  readonly history?: readonly string[];
  /** A user of the interactions that the recommender was given. */
  readonly userId?: string;
  /** Whose score is explained: any item of the catalogue, a recommended one or not. */
  readonly itemId: string;
  readonly signal?: AbortSignal;
}

/** An item's score in parts: `score` = `baseline` + the sum of all effects + `remainder`. */
export interface Explanation {
  readonly itemId: string;
  /** The model's score after this history, as `recommend` gives it. */
  readonly score: number;
  /** The score after an empty history: a reference point, not a forecast, as no model is taught on one. */
  readonly baseline: number;
  /** Every event of the model's window, the one whose removal lowers the score most first; of equal ones the newer. */
  readonly contributions: readonly EventContribution[];
  /** What only several events together moved, or moved less together than one by one. 0, but for rounding, of a history of one event. */
  readonly remainder: number;
}

export interface EventContribution {
  readonly itemId: string;
  /** The event's place in the history, 0 for the oldest. */
  readonly index: number;
  /** The score less what it were without this event alone: above 0 where the event raised it. */
  readonly effect: number;
}

/** An item on its way into the catalogue. */
export interface NewItem {
  readonly itemId: string;
  readonly features: ItemFeatures;
}

export interface AddedItems {
  /** The new items, which from now on are the last of the recommender's `itemIds`. */
  readonly itemIds: readonly string[];
  /** Features that no item of the training had: they are ignored. */
  readonly unknown: readonly UnknownFeatures[];
  /** New items of which the model knows no feature at all: it takes each for an average item. */
  readonly withoutFeatures: readonly string[];
}

/** A loss over all items, or over some drawn for each batch: see `NextItemLoss`. */
export type RecommenderLoss = "softmax" | "sampled-softmax" | "bce" | "gbce";

/** What came next for somebody, to choose the best epoch by. */
export interface HeldOutEvent {
  /** Numbers of the interactions' itemIds, oldest first. */
  readonly history: Int32Array;
  readonly target: number;
}

export interface FitRecommenderOptions {
  readonly device?: DeviceChoice;
  /**
   * SASRec (Kang & McAuley 2018), BERT4Rec (Sun et al. 2019) or HSTU (Zhai et al. 2024). With one loss for all, which counts for more than
   * the family does (Klenitskiy & Vasilev 2023, arXiv:2309.07602), BERT4Rec wants several times as many epochs as the others, as it
   * learns at few places of each window (Petrov & Macdonald 2022, arXiv:2207.07483). Default "sasrec".
   */
  readonly model?: RecommenderModel;
  /** How many of the newest items of a history count. Default: what holds three of four histories, 50 to 200. */
  readonly maxLength?: number;
  /** Default 64. */
  readonly hiddenSize?: number;
  /** Default 2. */
  readonly numHiddenLayers?: number;
  /** Default 2. */
  readonly numAttentionHeads?: number;
  /** Of the feed-forward layers of SASRec and BERT4Rec. Default 4 · hiddenSize. */
  readonly intermediateSize?: number;
  /** Default "gelu". */
  readonly hiddenAct?: HiddenAct;
  /** SASRec's. Default "post". */
  readonly normPlacement?: "query" | "pre" | "post";
  /** SASRec's. Default "learned". */
  readonly positions?: "learned" | "rotary";
  /** Of hidden states. Default 0.5. */
  readonly dropout?: number;
  /** Of attention. Default: as `dropout`; of HSTU 0. */
  readonly attentionDropout?: number;
  /** BERT4Rec's: how many of a window's items are hidden, to be told from the others; one at least. Default 0.2. */
  readonly maskedShare?: number;
  /** BERT4Rec's: how many windows have the newest item hidden alone, which is what is asked later. Default 0.1. */
  readonly lastMaskedShare?: number;
  /** Default "softmax". */
  readonly loss?: RecommenderLoss;
  /** Items drawn for each batch, for the losses that draw. Default 256. */
  readonly numNegatives?: number;
  /** gSASRec's t, for "gbce". Default 0.75. */
  readonly calibration?: number;
  /**
   * By item id, what the model learns of items beside who touched them, so that `addItems` can place new ones. Items without features
   * simply have none; features of ids that nobody touched are not looked at: give them to `addItems` afterwards.
   */
  readonly itemFeatures?: ReadonlyMap<string, ItemFeatures>;
  /** With `itemFeatures`: how often an item's own embedding is left out of a step, so that its features learn to stand alone. Default 0.3. */
  readonly itemDropout?: number;
  /** At most so many. Default 200. */
  readonly numTrainEpochs?: number;
  /** Evaluations without a better one before training ends. Default 3. */
  readonly patience?: number;
  /** Epochs between evaluations. Default 2. */
  readonly evalEpochs?: number;
  /** Pieces of histories in a batch. Default 128, or 64 where an epoch would have fewer than 128 steps. */
  readonly batchSize?: number;
  /** Default 0.001. */
  readonly learningRate?: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** Of the softmax losses. Default 0. */
  readonly labelSmoothing?: number;
  /** How the learning rate goes over all epochs, after a warm-up over `warmupRatio` of the steps. Default "constant". */
  readonly lrSchedulerType?: TrainingArguments["lrSchedulerType"];
  /** Default 0. */
  readonly warmupRatio?: number;
  /**
   * Epochs over everything, the held-out events too, that follow the best one, at a learning rate that falls to 0: what chose the model
   * is not lost to it. None where `validation` is given, as those events are no history's. With
   * `updates` the newest events of the users by whom updates are judged stay unlearnt. Default: as many as the best epoch's number, 8 at most.
   */
  readonly heldOutEpochs?: number;
  /** What chooses the best epoch. Default: each user's last event, which then is not trained on, of 10,000 users at most. */
  readonly validation?: readonly HeldOutEvent[];
  /** How `update` learns once it is trained. */
  readonly updates?: UpdateSettings;
  /** Default 42. */
  readonly seed?: number;
  /** Where checkpoints go: the newest, and the best. By default nothing is kept on disk. */
  readonly outputDir?: string;
  /** Goes on with the newest checkpoint in `outputDir`, or begins where there is none. The data and the settings must be the same; the result then is, too. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: FitRecommenderEvent) => void;
}

export type FitRecommenderEvent =
  | { readonly type: "plan"; readonly device: string; readonly numItems: number; readonly numWindows: number; readonly numValidation: number; readonly numParameters: number; readonly stepsPerEpoch: number; readonly peakBytes: number; /** Epochs done before a resumed run; 0 for a new one. */ readonly resumedEpoch: number }
  | { readonly type: "epoch"; readonly epoch: number; readonly loss: number; readonly seconds: number }
  /** HR and NDCG at 10 among the whole catalogue, earlier items of the user aside. */
  | { readonly type: "evaluation"; readonly epoch: number; readonly hitRate: number; readonly ndcg: number; readonly best: boolean }
  /** Which epoch's weights the model has, and how many epochs over everything follow. */
  | { readonly type: "chosen"; readonly epoch: number; readonly heldOutEpochs: number };
