import { HeddleError } from "@heddle/kernels";
import type { DataCollator, EncodedRow } from "@heddle/training";
import { createConfig, type RecommenderConfig } from "@heddle/transformer";
import { clozeCollator, clozeWindowsOf } from "./cloze.ts";
import type { FitRecommenderOptions } from "./types.ts";
import { windowCollator, windowsOf } from "./windows.ts";

/** Families of models that recommend, by `model_type` in config.json. */
export const RECOMMENDER_MODELS = ["sasrec", "bert4rec", "hstu"] as const;
export type RecommenderModel = (typeof RECOMMENDER_MODELS)[number];

/** What is settled for every family. */
export interface FamilyOptions {
  readonly numItems: number;
  readonly maxLength: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly dropout: number;
  /** Items drawn for each batch; 0 for none. */
  readonly numNegatives: number;
  /** What a family has of its own. */
  readonly own: FitRecommenderOptions;
}

/** What a family learns, and how: all else about a recommender is the same for every one. */
export interface FamilyPlan {
  readonly config: RecommenderConfig;
  /** What there is to learn from a history, by numbers of items. */
  readonly windowsOf: (history: ArrayLike<number>) => EncodedRow[];
  readonly collator: DataCollator;
}

const FAMILIES: Readonly<Record<RecommenderModel, (options: FamilyOptions) => FamilyPlan>> = {
  sasrec({ maxLength, dropout, own: { normPlacement = "post", positions = "learned", attentionDropout = dropout, ...own }, ...options }) {
    const config = createConfig({ modelType: "sasrec", ...sizesOf(options), ...feedForwardOf(own), normPlacement, maxPositionEmbeddings: maxLength, positionEmbeddingType: positions, finalNorm: normPlacement !== "post", hiddenDropoutProb: dropout, attentionProbsDropoutProb: attentionDropout });
    return { config, windowsOf: (history) => windowsOf(history, maxLength), collator: windowCollator({ maxLength, ...options }) };
  },
  bert4rec({ maxLength, dropout, own: { attentionDropout = dropout, maskedShare = 0.2, lastMaskedShare = 0.1, ...own }, ...options }) {
    if (!(maskedShare > 0 && maskedShare < 1)) throw invalid(`maskedShare must be above 0 and below 1, got ${maskedShare}`);
    if (!(lastMaskedShare >= 0 && lastMaskedShare <= 1)) throw invalid(`lastMaskedShare must be a number from 0 to 1, got ${lastMaskedShare}`);
    // The item to be told has a place of its own.
    const places = maxLength + 1;
    const config = createConfig({ modelType: "bert4rec", ...sizesOf(options), ...feedForwardOf(own), maxPositionEmbeddings: places, hiddenDropoutProb: dropout, attentionProbsDropoutProb: attentionDropout });
    return { config, windowsOf: (history) => clozeWindowsOf(history, maxLength), collator: clozeCollator({ maxLength: places, maskTokenId: config.maskTokenId, maskedShare, lastMaskedShare, ...options }) };
  },
  hstu({ maxLength, dropout, own: { attentionDropout = 0 }, ...options }) {
    const config = createConfig({ modelType: "hstu", ...sizesOf(options), maxPositionEmbeddings: maxLength, hiddenDropoutProb: dropout, attentionProbsDropoutProb: attentionDropout });
    return { config, windowsOf: (history) => windowsOf(history, maxLength), collator: windowCollator({ maxLength, ...options }) };
  },
};

/** Options that not every family has. */
const OWN_OPTIONS: Partial<Record<keyof FitRecommenderOptions, readonly RecommenderModel[]>> = {
  normPlacement: ["sasrec"],
  positions: ["sasrec"],
  hiddenAct: ["sasrec", "bert4rec"],
  intermediateSize: ["sasrec", "bert4rec"],
  maskedShare: ["bert4rec"],
  lastMaskedShare: ["bert4rec"],
};

/** Throws INVALID_ARGUMENT for a family that is not there, and for an option that another one has. */
export function familyPlan(model: RecommenderModel, options: FamilyOptions): FamilyPlan {
  if (!RECOMMENDER_MODELS.includes(model)) throw invalid(`model is ${JSON.stringify(model)}: choose one of ${RECOMMENDER_MODELS.join(", ")}`);
  for (const [option, models] of Object.entries(OWN_OPTIONS)) {
    if (options.own[option as keyof FitRecommenderOptions] !== undefined && !models.includes(model)) throw invalid(`${option} is of ${models.join(" and ")}, not of ${model}: leave it out, or choose another model`);
  }
  return FAMILIES[model](options);
}

const sizesOf = ({ numItems, hiddenSize, numHiddenLayers, numAttentionHeads }: Pick<FamilyOptions, "numItems" | "hiddenSize" | "numHiddenLayers" | "numAttentionHeads">) => ({ numItems, hiddenSize, numHiddenLayers, numAttentionHeads });

const feedForwardOf = ({ hiddenAct, intermediateSize }: FitRecommenderOptions) => ({ ...(hiddenAct && { hiddenAct }), ...(intermediateSize !== undefined && { intermediateSize }) });

const invalid = (what: string) => new HeddleError("INVALID_ARGUMENT", `[SequentialRecommender.fit] ${what}`);
