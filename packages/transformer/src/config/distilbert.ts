import { z } from "zod";
import { checkEncoder, type EncoderConfig } from "./encoder.ts";
import { labelKeys, parseLabels } from "./labels.ts";
import { activation, checkConfig, layerCount, probability, size, withDefault } from "./schema.ts";

export interface DistilBertConfig extends EncoderConfig {
  readonly modelType: "distilbert";
  readonly qaDropout: number;
  /** The first position embeddings are sines; they are parameters in the checkpoint all the same. */
  readonly sinusoidalPosEmbds: boolean;
}

/** transformers has it as a constant in the model's code. */
const LAYER_NORM_EPS = 1e-12;

/** Keys and defaults of transformers' `DistilBertConfig`. */
const distilbertSchema = z.object({
  ...labelKeys,
  architectures: withDefault(z.array(z.string()), []),
  vocab_size: withDefault(size, 30522),
  max_position_embeddings: withDefault(size, 512),
  sinusoidal_pos_embds: withDefault(z.boolean(), false),
  n_layers: withDefault(layerCount, 6),
  n_heads: withDefault(size, 12),
  dim: withDefault(size, 768),
  hidden_dim: withDefault(size, 4 * 768),
  dropout: withDefault(probability, 0.1),
  attention_dropout: withDefault(probability, 0.1),
  activation: activation.default("gelu"),
  initializer_range: withDefault(z.number().positive(), 0.02),
  qa_dropout: withDefault(probability, 0.1),
  seq_classif_dropout: withDefault(probability, 0.2),
  pad_token_id: withDefault(z.int().nonnegative(), 0),
});

/** Parses a DistilBERT config.json object; errors are `CONFIG_INVALID`. */
export function parseDistilBertConfig(raw: Readonly<Record<string, unknown>>): DistilBertConfig {
  const json = checkConfig(distilbertSchema, raw);
  const config: DistilBertConfig = {
    ...parseLabels(json),
    modelType: "distilbert",
    architectures: json.architectures,
    vocabSize: json.vocab_size,
    hiddenSize: json.dim,
    numHiddenLayers: json.n_layers,
    numAttentionHeads: json.n_heads,
    intermediateSize: json.hidden_dim,
    hiddenAct: json.activation,
    maxPositionEmbeddings: json.max_position_embeddings,
    typeVocabSize: 0,
    layerNormEps: LAYER_NORM_EPS,
    hiddenDropoutProb: json.dropout,
    attentionProbsDropoutProb: json.attention_dropout,
    classifierDropout: json.seq_classif_dropout,
    qaDropout: json.qa_dropout,
    sinusoidalPosEmbds: json.sinusoidal_pos_embds,
    initializerRange: json.initializer_range,
    padTokenId: json.pad_token_id,
    raw,
  };
  checkEncoder(config, { hiddenSize: "dim", numAttentionHeads: "n_heads" });
  return config;
}

/** The family's keys in config.json. */
export function distilbertToJson(config: DistilBertConfig): Record<string, unknown> {
  return {
    vocab_size: config.vocabSize,
    max_position_embeddings: config.maxPositionEmbeddings,
    sinusoidal_pos_embds: config.sinusoidalPosEmbds,
    n_layers: config.numHiddenLayers,
    n_heads: config.numAttentionHeads,
    dim: config.hiddenSize,
    hidden_dim: config.intermediateSize,
    dropout: config.hiddenDropoutProb,
    attention_dropout: config.attentionProbsDropoutProb,
    activation: config.hiddenAct,
    initializer_range: config.initializerRange,
    qa_dropout: config.qaDropout,
    seq_classif_dropout: config.classifierDropout ?? config.hiddenDropoutProb,
    pad_token_id: config.padTokenId,
  };
}
