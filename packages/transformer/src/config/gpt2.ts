import { z } from "zod";
import { checkDecoder, decoderToJson, tokenId, tokenIds, type DecoderConfig } from "./decoder.ts";
import { labelKeys, parseLabels } from "./labels.ts";
import { activation, checkConfig, layerCount, optional, probability, size, withDefault } from "./schema.ts";

export interface GPT2Config extends DecoderConfig {
  readonly modelType: "gpt2";
  readonly embdDropout: number;
  /** After attention and after the feed-forward network. */
  readonly residDropout: number;
  /** Scores are divided by √headDim. */
  readonly scaleAttnWeights: boolean;
  /** And by the layer's number, from 1. */
  readonly scaleAttnByInverseLayerIdx: boolean;
}

/** Keys and defaults of transformers' `GPT2Config`. */
const gpt2Schema = z.object({
  ...labelKeys,
  architectures: withDefault(z.array(z.string()), []),
  vocab_size: withDefault(size, 50257),
  n_positions: withDefault(size, 1024),
  n_embd: withDefault(size, 768),
  n_layer: withDefault(layerCount, 12),
  n_head: withDefault(size, 12),
  n_inner: optional(size),
  activation_function: activation.default("gelu_new"),
  resid_pdrop: withDefault(probability, 0.1),
  embd_pdrop: withDefault(probability, 0.1),
  attn_pdrop: withDefault(probability, 0.1),
  layer_norm_epsilon: withDefault(z.number().positive(), 1e-5),
  initializer_range: withDefault(z.number().positive(), 0.02),
  scale_attn_weights: withDefault(z.boolean(), true),
  scale_attn_by_inverse_layer_idx: withDefault(z.boolean(), false),
  tie_word_embeddings: withDefault(z.boolean(), true),
  pad_token_id: optional(tokenId),
  bos_token_id: withDefault(tokenId, 50256),
  eos_token_id: optional(tokenIds),
  add_cross_attention: withDefault(z.literal(false, "only the decoder by itself is supported, set it to false"), false),
});

const END_OF_TEXT = 50256;

/** Parses a GPT-2 config.json object; errors are `CONFIG_INVALID`. */
export function parseGPT2Config(raw: Readonly<Record<string, unknown>>): GPT2Config {
  const json = checkConfig(gpt2Schema, raw);
  const config: GPT2Config = {
    ...parseLabels(json),
    modelType: "gpt2",
    architectures: json.architectures,
    vocabSize: json.vocab_size,
    hiddenSize: json.n_embd,
    numHiddenLayers: json.n_layer,
    numAttentionHeads: json.n_head,
    numKeyValueHeads: json.n_head,
    headDim: json.n_embd / json.n_head,
    intermediateSize: json.n_inner ?? 4 * json.n_embd,
    hiddenAct: json.activation_function,
    maxPositionEmbeddings: json.n_positions,
    normEps: json.layer_norm_epsilon,
    embdDropout: json.embd_pdrop,
    residDropout: json.resid_pdrop,
    attentionDropout: json.attn_pdrop,
    scaleAttnWeights: json.scale_attn_weights,
    scaleAttnByInverseLayerIdx: json.scale_attn_by_inverse_layer_idx,
    tieWordEmbeddings: json.tie_word_embeddings,
    initializerRange: json.initializer_range,
    padTokenId: json.pad_token_id,
    bosTokenId: json.bos_token_id,
    eosTokenIds: json.eos_token_id ?? [END_OF_TEXT],
    raw,
  };
  checkDecoder(config, { hiddenSize: "n_embd", numAttentionHeads: "n_head" });
  return config;
}

/** The family's keys in config.json. */
export function gpt2ToJson(config: GPT2Config): Record<string, unknown> {
  return {
    ...decoderToJson(config),
    n_positions: config.maxPositionEmbeddings,
    n_embd: config.hiddenSize,
    n_layer: config.numHiddenLayers,
    n_head: config.numAttentionHeads,
    n_inner: config.intermediateSize,
    activation_function: config.hiddenAct,
    resid_pdrop: config.residDropout,
    embd_pdrop: config.embdDropout,
    attn_pdrop: config.attentionDropout,
    layer_norm_epsilon: config.normEps,
    scale_attn_weights: config.scaleAttnWeights,
    scale_attn_by_inverse_layer_idx: config.scaleAttnByInverseLayerIdx,
  };
}
