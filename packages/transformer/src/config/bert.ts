import { z } from "zod";
import { checkEncoder, type EncoderConfig } from "./encoder.ts";
import { labelKeys, parseLabels } from "./labels.ts";
import { activation, checkConfig, optional, probability, size, withDefault } from "./schema.ts";

export interface BertConfig extends EncoderConfig {
  readonly modelType: "bert";
}

/** Keys and defaults of transformers' `BertConfig`. */
const bertSchema = z.object({
  ...labelKeys,
  architectures: withDefault(z.array(z.string()), []),
  vocab_size: withDefault(size, 30522),
  hidden_size: withDefault(size, 768),
  num_hidden_layers: withDefault(size, 12),
  num_attention_heads: withDefault(size, 12),
  intermediate_size: withDefault(size, 3072),
  hidden_act: activation.default("gelu"),
  hidden_dropout_prob: withDefault(probability, 0.1),
  attention_probs_dropout_prob: withDefault(probability, 0.1),
  max_position_embeddings: withDefault(size, 512),
  type_vocab_size: withDefault(size, 2),
  initializer_range: withDefault(z.number().positive(), 0.02),
  layer_norm_eps: withDefault(z.number().positive(), 1e-12),
  pad_token_id: withDefault(z.int().nonnegative(), 0),
  classifier_dropout: optional(probability),
  // Variants whose computation differs: better refused than computed wrongly.
  position_embedding_type: withDefault(z.literal("absolute", "only absolute position embeddings are supported"), "absolute"),
  is_decoder: withDefault(z.literal(false, "only the encoder is supported, set it to false"), false),
  add_cross_attention: withDefault(z.literal(false, "only the encoder is supported, set it to false"), false),
});

/** Parses a BERT config.json object; errors are `CONFIG_INVALID`. */
export function parseBertConfig(raw: Readonly<Record<string, unknown>>): BertConfig {
  const json = checkConfig(bertSchema, raw);
  const config: BertConfig = {
    ...parseLabels(json),
    modelType: "bert",
    architectures: json.architectures,
    vocabSize: json.vocab_size,
    hiddenSize: json.hidden_size,
    numHiddenLayers: json.num_hidden_layers,
    numAttentionHeads: json.num_attention_heads,
    intermediateSize: json.intermediate_size,
    hiddenAct: json.hidden_act,
    maxPositionEmbeddings: json.max_position_embeddings,
    typeVocabSize: json.type_vocab_size,
    layerNormEps: json.layer_norm_eps,
    hiddenDropoutProb: json.hidden_dropout_prob,
    attentionProbsDropoutProb: json.attention_probs_dropout_prob,
    classifierDropout: json.classifier_dropout,
    initializerRange: json.initializer_range,
    padTokenId: json.pad_token_id,
    raw,
  };
  checkEncoder(config, { hiddenSize: "hidden_size", numAttentionHeads: "num_attention_heads" });
  return config;
}

/** The family's keys in config.json. */
export function bertToJson(config: BertConfig): Record<string, unknown> {
  return {
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    intermediate_size: config.intermediateSize,
    hidden_act: config.hiddenAct,
    hidden_dropout_prob: config.hiddenDropoutProb,
    attention_probs_dropout_prob: config.attentionProbsDropoutProb,
    max_position_embeddings: config.maxPositionEmbeddings,
    type_vocab_size: config.typeVocabSize,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.layerNormEps,
    pad_token_id: config.padTokenId,
    classifier_dropout: config.classifierDropout ?? null,
  };
}
