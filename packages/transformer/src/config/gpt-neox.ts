import { z } from "zod";
import { checkDecoder, decoderToJson, tokenId, tokenIds, type DecoderConfig } from "./decoder.ts";
import { labelKeys, parseLabels } from "./labels.ts";
import { parseRotary, rotaryToJson, type RotaryConfig } from "./rotary.ts";
import { activation, checkConfig, layerCount, optional, probability, size, withDefault } from "./schema.ts";

export interface GPTNeoXConfig extends DecoderConfig {
  readonly modelType: "gpt_neox";
  readonly rotary: RotaryConfig;
  readonly attentionBias: boolean;
  /** After attention and after the feed-forward network. */
  readonly hiddenDropout: number;
  readonly classifierDropout: number;
  /** Attention and the feed-forward network both take the layer's input. */
  readonly useParallelResidual: boolean;
}

/** Keys and defaults of transformers' `GPTNeoXConfig`. */
const gptNeoXSchema = z.object({
  ...labelKeys,
  architectures: withDefault(z.array(z.string()), []),
  vocab_size: withDefault(size, 50432),
  hidden_size: withDefault(size, 6144),
  num_hidden_layers: withDefault(layerCount, 44),
  num_attention_heads: withDefault(size, 64),
  intermediate_size: withDefault(size, 24576),
  hidden_act: activation.default("gelu"),
  rotary_pct: withDefault(z.number().positive().max(1), 0.25),
  rotary_emb_base: withDefault(z.number().positive(), 10_000),
  rope_theta: optional(z.number().positive()),
  rope_parameters: optional(z.record(z.string(), z.unknown())),
  rope_scaling: optional(z.record(z.string(), z.unknown())),
  attention_dropout: withDefault(probability, 0),
  hidden_dropout: withDefault(probability, 0),
  classifier_dropout: withDefault(probability, 0.1),
  max_position_embeddings: withDefault(size, 2048),
  initializer_range: withDefault(z.number().positive(), 0.02),
  layer_norm_eps: withDefault(z.number().positive(), 1e-5),
  use_parallel_residual: withDefault(z.boolean(), true),
  attention_bias: withDefault(z.boolean(), true),
  tie_word_embeddings: withDefault(z.boolean(), false),
  pad_token_id: optional(tokenId),
  bos_token_id: withDefault(tokenId, 0),
  eos_token_id: optional(tokenIds),
});

const END_OF_TEXT = 2;

/** Parses a GPT-NeoX config.json object; errors are `CONFIG_INVALID`. */
export function parseGPTNeoXConfig(raw: Readonly<Record<string, unknown>>): GPTNeoXConfig {
  const json = checkConfig(gptNeoXSchema, raw);
  const headDim = json.hidden_size / json.num_attention_heads;
  const config = {
    ...parseLabels(json),
    modelType: "gpt_neox" as const,
    architectures: json.architectures,
    vocabSize: json.vocab_size,
    hiddenSize: json.hidden_size,
    numHiddenLayers: json.num_hidden_layers,
    numAttentionHeads: json.num_attention_heads,
    numKeyValueHeads: json.num_attention_heads,
    headDim,
    intermediateSize: json.intermediate_size,
    hiddenAct: json.hidden_act,
    maxPositionEmbeddings: json.max_position_embeddings,
    normEps: json.layer_norm_eps,
    attentionDropout: json.attention_dropout,
    hiddenDropout: json.hidden_dropout,
    classifierDropout: json.classifier_dropout,
    attentionBias: json.attention_bias,
    useParallelResidual: json.use_parallel_residual,
    tieWordEmbeddings: json.tie_word_embeddings,
    initializerRange: json.initializer_range,
    padTokenId: json.pad_token_id,
    bosTokenId: json.bos_token_id,
    eosTokenIds: json.eos_token_id ?? [END_OF_TEXT],
    raw,
  };
  checkDecoder(config, { hiddenSize: "hidden_size", numAttentionHeads: "num_attention_heads" });
  const rotary = parseRotary(json.rope_parameters ?? json.rope_scaling, { headDim, maxPositionEmbeddings: json.max_position_embeddings, theta: json.rope_theta ?? json.rotary_emb_base, partialRotaryFactor: json.rotary_pct });
  return { ...config, rotary };
}

/** The family's keys in config.json. */
export function gptNeoXToJson(config: GPTNeoXConfig): Record<string, unknown> {
  return {
    ...decoderToJson(config),
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    intermediate_size: config.intermediateSize,
    hidden_act: config.hiddenAct,
    rope_parameters: rotaryToJson(config.rotary),
    attention_dropout: config.attentionDropout,
    hidden_dropout: config.hiddenDropout,
    classifier_dropout: config.classifierDropout,
    max_position_embeddings: config.maxPositionEmbeddings,
    layer_norm_eps: config.normEps,
    use_parallel_residual: config.useParallelResidual,
    attention_bias: config.attentionBias,
  };
}
