export { MODEL_TYPES, configToJson, createConfig, parseConfig, withLabels, type ConfigOptions, type ModelConfig, type ModelType } from "./config.ts";
export type { AlbertConfig } from "./albert.ts";
export type { BertConfig } from "./bert.ts";
export type { DistilBertConfig } from "./distilbert.ts";
export type { ElectraConfig } from "./electra.ts";
export type { RobertaConfig } from "./roberta.ts";
export type { EncoderConfig } from "./encoder.ts";
export type { Labels, ProblemType } from "./labels.ts";
export type { HiddenAct } from "./schema.ts";
