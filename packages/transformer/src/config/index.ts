export { MODEL_TYPES, configToJson, createConfig, parseConfig, withLabels, type ConfigOptions, type ModelConfig } from "./config.ts";
export type { BertConfig } from "./bert.ts";
export type { DistilBertConfig } from "./distilbert.ts";
export type { EncoderConfig } from "./encoder.ts";
export type { Labels, ProblemType } from "./labels.ts";
export type { HiddenAct } from "./schema.ts";
