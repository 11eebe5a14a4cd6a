import type { BERT4RecConfig } from "./bert4rec.ts";
import type { ModelConfig } from "./config.ts";
import type { HSTUConfig } from "./hstu.ts";
import type { SASRecConfig } from "./sasrec.ts";

/** Of a model that tells which item comes after a history. */
export type RecommenderConfig = BERT4RecConfig | HSTUConfig | SASRecConfig;

export const isRecommenderConfig = (config: ModelConfig): config is RecommenderConfig => "numItems" in config;
