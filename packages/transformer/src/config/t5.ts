import { z } from "zod";
import { tokenId, tokenIds } from "./decoder.ts";
import { labelKeys, parseLabels } from "./labels.ts";
import type { Seq2SeqConfig } from "./seq2seq.ts";
import { activation, checkConfig, layerCount, optional, probability, size, withDefault, type HiddenAct } from "./schema.ts";

export interface T5Config extends Seq2SeqConfig {
  readonly modelType: "t5";
  readonly dropoutRate: number;
  readonly layerNormEpsilon: number;
  readonly relativeAttentionNumBuckets: number;
  readonly relativeAttentionMaxDistance: number;
  /** The feed-forward network multiplies two projections, as from T5 1.1 on. */
  readonly isGatedAct: boolean;
  /** Hidden states are divided by √hiddenSize before embeddings score tokens: T5 1.0. */
  readonly scaleDecoderOutputs: boolean;
}

/** Keys and defaults of transformers' `T5Config`. */
const t5Schema = z.object({
  ...labelKeys,
  architectures: withDefault(z.array(z.string()), []),
  vocab_size: withDefault(size, 32128),
  d_model: withDefault(size, 512),
  d_kv: withDefault(size, 64),
  d_ff: withDefault(size, 2048),
  num_layers: withDefault(layerCount, 6),
  num_decoder_layers: optional(layerCount),
  num_heads: withDefault(size, 8),
  relative_attention_num_buckets: withDefault(size, 32),
  relative_attention_max_distance: withDefault(size, 128),
  dropout_rate: withDefault(probability, 0.1),
  layer_norm_epsilon: withDefault(z.number().positive(), 1e-6),
  initializer_factor: withDefault(z.number().positive(), 1),
  feed_forward_proj: withDefault(z.string(), "relu"),
  tie_word_embeddings: withDefault(z.boolean(), true),
  scale_decoder_outputs: optional(z.boolean()),
  pad_token_id: withDefault(tokenId, 0),
  eos_token_id: optional(tokenIds),
  decoder_start_token_id: withDefault(tokenId, 0),
  n_positions: withDefault(size, 512),
});

/** Parses a T5 config.json object; errors are `CONFIG_INVALID`. */
export function parseT5Config(raw: Readonly<Record<string, unknown>>): T5Config {
  const json = checkConfig(t5Schema, raw);
  const isGatedAct = json.feed_forward_proj.startsWith("gated-");
  const name = isGatedAct ? json.feed_forward_proj.slice("gated-".length) : json.feed_forward_proj;
  // transformers means the tanh approximation where the file says gated-gelu.
  const { hidden_act: hiddenAct } = checkConfig(z.object({ hidden_act: activation }), { hidden_act: json.feed_forward_proj === "gated-gelu" ? "gelu_new" : name });
  return {
    ...parseLabels(json),
    modelType: "t5",
    architectures: json.architectures,
    vocabSize: json.vocab_size,
    hiddenSize: json.d_model,
    headDim: json.d_kv,
    intermediateSize: json.d_ff,
    numEncoderLayers: json.num_layers,
    numHiddenLayers: json.num_decoder_layers ?? json.num_layers,
    numEncoderAttentionHeads: json.num_heads,
    numAttentionHeads: json.num_heads,
    relativeAttentionNumBuckets: json.relative_attention_num_buckets,
    relativeAttentionMaxDistance: json.relative_attention_max_distance,
    dropoutRate: json.dropout_rate,
    layerNormEpsilon: json.layer_norm_epsilon,
    hiddenAct,
    isGatedAct,
    tieWordEmbeddings: json.tie_word_embeddings,
    scaleDecoderOutputs: json.scale_decoder_outputs ?? json.tie_word_embeddings,
    // Positions are relative, so nothing but memory limits a text; this is what the model was trained on.
    maxPositionEmbeddings: json.n_positions,
    initializerRange: json.initializer_factor * json.d_model ** -0.5,
    padTokenId: json.pad_token_id,
    bosTokenId: undefined,
    eosTokenIds: json.eos_token_id ?? [1],
    decoderStartTokenId: json.decoder_start_token_id,
    forcedEosTokenId: undefined,
    raw,
  };
}

/** The family's keys in config.json. */
export function t5ToJson(config: T5Config): Record<string, unknown> {
  return {
    vocab_size: config.vocabSize,
    d_model: config.hiddenSize,
    d_kv: config.headDim,
    d_ff: config.intermediateSize,
    num_layers: config.numEncoderLayers,
    num_decoder_layers: config.numHiddenLayers,
    num_heads: config.numAttentionHeads,
    relative_attention_num_buckets: config.relativeAttentionNumBuckets,
    relative_attention_max_distance: config.relativeAttentionMaxDistance,
    dropout_rate: config.dropoutRate,
    layer_norm_epsilon: config.layerNormEpsilon,
    feed_forward_proj: `${config.isGatedAct ? "gated-" : ""}${feedForwardName(config)}`,
    tie_word_embeddings: config.tieWordEmbeddings,
    scale_decoder_outputs: config.scaleDecoderOutputs,
    pad_token_id: config.padTokenId,
    eos_token_id: config.eosTokenIds.length > 1 ? config.eosTokenIds : (config.eosTokenIds[0] ?? null),
    decoder_start_token_id: config.decoderStartTokenId,
    n_positions: config.maxPositionEmbeddings,
    is_encoder_decoder: true,
  };
}

const feedForwardName = ({ hiddenAct, isGatedAct }: { hiddenAct: HiddenAct; isGatedAct: boolean }): string => (isGatedAct && hiddenAct === "gelu_new" ? "gelu" : hiddenAct);
