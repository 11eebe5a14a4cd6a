import { HeddleError } from "@heddle/kernels";
import { createConfig, type RecommenderConfig } from "@heddle/transformer";
import type { FitRecommenderOptions } from "./types.ts";

/** Families of models that recommend, by `model_type` in config.json. */
export const RECOMMENDER_MODELS = ["sasrec", "bert4rec", "hstu"] as const;
export type RecommenderModel = (typeof RECOMMENDER_MODELS)[number];

/** What is settled for every family. */
interface Sizes extends Required<Pick<FitRecommenderOptions, "maxLength" | "hiddenSize" | "numHiddenLayers" | "numAttentionHeads" | "dropout">> {
  readonly numItems: number;
}

const FAMILIES: Readonly<Record<RecommenderModel, (sizes: Sizes, own: FitRecommenderOptions) => RecommenderConfig>> = {
  sasrec({ maxLength: maxPositionEmbeddings, dropout, ...sizes }, { normPlacement = "post", positions: positionEmbeddingType = "rotary", attentionDropout = dropout, ...own }) {
    return createConfig({ modelType: "sasrec", ...sizes, ...feedForwardOf(own), normPlacement, maxPositionEmbeddings, positionEmbeddingType, finalNorm: normPlacement !== "post", hiddenDropoutProb: dropout, attentionProbsDropoutProb: attentionDropout });
  },
  bert4rec({ maxLength, dropout, ...sizes }, { attentionDropout = dropout, ...own }) {
    // The item to be told has a place of its own.
    return createConfig({ modelType: "bert4rec", ...sizes, ...feedForwardOf(own), maxPositionEmbeddings: maxLength + 1, hiddenDropoutProb: dropout, attentionProbsDropoutProb: attentionDropout });
  },
  hstu({ maxLength: maxPositionEmbeddings, dropout, ...sizes }, { attentionDropout = 0 }) {
    return createConfig({ modelType: "hstu", ...sizes, maxPositionEmbeddings, hiddenDropoutProb: dropout, attentionProbsDropoutProb: attentionDropout });
  },
};

const feedForwardOf = ({ hiddenAct, intermediateSize }: FitRecommenderOptions) => ({ ...(hiddenAct && { hiddenAct }), ...(intermediateSize !== undefined && { intermediateSize }) });

/** Options that not every family has. */
const OWN_OPTIONS: Partial<Record<keyof FitRecommenderOptions, readonly RecommenderModel[]>> = {
  normPlacement: ["sasrec"],
  positions: ["sasrec"],
  hiddenAct: ["sasrec", "bert4rec"],
  intermediateSize: ["sasrec", "bert4rec"],
  maskedShare: ["bert4rec"],
  lastMaskedShare: ["bert4rec"],
};

/** A new model's configuration. Throws INVALID_ARGUMENT for a family that is not there, and for an option that another one has. */
export function recommenderConfig(model: RecommenderModel, sizes: Sizes, own: FitRecommenderOptions): RecommenderConfig {
  if (!RECOMMENDER_MODELS.includes(model)) throw invalid(`model is ${JSON.stringify(model)}: choose one of ${RECOMMENDER_MODELS.join(", ")}`);
  for (const [option, models] of Object.entries(OWN_OPTIONS)) {
    if (own[option as keyof FitRecommenderOptions] !== undefined && !models.includes(model)) throw invalid(`${option} is of ${models.join(" and ")}, not of ${model}: leave it out, or choose another model`);
  }
  return FAMILIES[model](sizes, own);
}

const invalid = (what: string) => new HeddleError("INVALID_ARGUMENT", `[SequentialRecommender.fit] ${what}`);
