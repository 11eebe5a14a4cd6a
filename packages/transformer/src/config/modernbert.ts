import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { checkLayerTypes, layerTypesToJson, type LayerType } from "./decoder.ts";
import { checkEncoder } from "./encoder.ts";
import { labelKeys, parseLabels, type Labels } from "./labels.ts";
import { parseRotary, rotaryToJson, type RotaryConfig } from "./rotary.ts";
import { activation, checkConfig, layerCount, optional, probability, size, withDefault, type HiddenAct } from "./schema.ts";

export interface ModernBertConfig extends Labels {
  readonly modelType: "modernbert";
  readonly architectures: readonly string[];
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: HiddenAct;
  /** The longest text in tokens. */
  readonly maxPositionEmbeddings: number;
  /** Of each layer. */
  readonly layerTypes: readonly LayerType[];
  /** A token of a `sliding_attention` layer sees those at most half of it away. */
  readonly localAttention: number;
  readonly rotary: Readonly<Record<LayerType, RotaryConfig>>;
  readonly normEps: number;
  readonly normBias: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly embeddingDropout: number;
  readonly attentionDropout: number;
  readonly mlpDropout: number;
  readonly classifierPooling: "cls" | "mean";
  readonly classifierDropout: number;
  readonly classifierBias: boolean;
  readonly classifierActivation: HiddenAct;
  readonly decoderBias: boolean;
  /** Tokens are scored by their embeddings. */
  readonly tieWordEmbeddings: boolean;
  readonly initializerRange: number;
  readonly padTokenId: number;
  /** config.json as it was read; keys that Heddle does not know are written back unchanged. */
  readonly raw: Readonly<Record<string, unknown>>;
}

const rope = optional(z.record(z.string(), z.unknown()));
const positive = z.number().positive();

/** Keys and defaults of transformers' `ModernBertConfig`. */
const modernbertSchema = z.object({
  ...labelKeys,
  architectures: withDefault(z.array(z.string()), []),
  vocab_size: withDefault(size, 50368),
  hidden_size: withDefault(size, 768),
  intermediate_size: withDefault(size, 1152),
  num_hidden_layers: withDefault(layerCount, 22),
  num_attention_heads: withDefault(size, 12),
  hidden_activation: activation.default("gelu"),
  max_position_embeddings: withDefault(size, 8192),
  initializer_range: withDefault(positive, 0.02),
  norm_eps: withDefault(positive, 1e-5),
  norm_bias: withDefault(z.boolean(), false),
  pad_token_id: withDefault(z.int().nonnegative(), 50283),
  attention_bias: withDefault(z.boolean(), false),
  attention_dropout: withDefault(probability, 0),
  layer_types: optional(z.array(z.enum(["full_attention", "sliding_attention"]))),
  global_attn_every_n_layers: withDefault(size, 3),
  local_attention: withDefault(size, 128),
  rope_parameters: optional(z.object({ full_attention: rope, sliding_attention: rope })),
  rope_scaling: rope,
  global_rope_theta: withDefault(positive, 160_000),
  local_rope_theta: withDefault(positive, 10_000),
  embedding_dropout: withDefault(probability, 0),
  mlp_bias: withDefault(z.boolean(), false),
  mlp_dropout: withDefault(probability, 0),
  decoder_bias: withDefault(z.boolean(), true),
  classifier_pooling: withDefault(z.enum(["cls", "mean"]), "cls"),
  classifier_dropout: withDefault(probability, 0),
  classifier_bias: withDefault(z.boolean(), false),
  classifier_activation: activation.default("gelu"),
  tie_word_embeddings: withDefault(z.boolean(), true),
});

/** Parses a ModernBERT config.json object; errors are `CONFIG_INVALID`. */
export function parseModernBertConfig(raw: Readonly<Record<string, unknown>>): ModernBertConfig {
  const json = checkConfig(modernbertSchema, raw);
  const config: Omit<ModernBertConfig, "rotary"> = {
    ...parseLabels(json),
    modelType: "modernbert",
    architectures: json.architectures,
    vocabSize: json.vocab_size,
    hiddenSize: json.hidden_size,
    numHiddenLayers: json.num_hidden_layers,
    numAttentionHeads: json.num_attention_heads,
    intermediateSize: json.intermediate_size,
    hiddenAct: json.hidden_activation,
    maxPositionEmbeddings: json.max_position_embeddings,
    layerTypes: json.layer_types ?? Array.from({ length: json.num_hidden_layers }, (_, layer) => (layer % json.global_attn_every_n_layers === 0 ? "full_attention" : "sliding_attention")),
    localAttention: json.local_attention,
    normEps: json.norm_eps,
    normBias: json.norm_bias,
    attentionBias: json.attention_bias,
    mlpBias: json.mlp_bias,
    embeddingDropout: json.embedding_dropout,
    attentionDropout: json.attention_dropout,
    mlpDropout: json.mlp_dropout,
    classifierPooling: json.classifier_pooling,
    classifierDropout: json.classifier_dropout,
    classifierBias: json.classifier_bias,
    classifierActivation: json.classifier_activation,
    decoderBias: json.decoder_bias,
    tieWordEmbeddings: json.tie_word_embeddings,
    initializerRange: json.initializer_range,
    padTokenId: json.pad_token_id,
    raw,
  };
  checkEncoder(config, { hiddenSize: "hidden_size", numAttentionHeads: "num_attention_heads" });
  checkLayerTypes(config);
  const rotaryOf = (type: LayerType, theta: number): RotaryConfig => {
    const headDim = config.hiddenSize / config.numAttentionHeads;
    const rotary = parseRotary({ ...json.rope_parameters?.[type], ...json.rope_scaling }, { headDim, maxPositionEmbeddings: config.maxPositionEmbeddings, theta });
    // The model's table is of its longest text, whatever the text: frequencies may not follow from it.
    if (rotary.scaling.type === "longrope") throw new HeddleError("CONFIG_INVALID", "[config.json] rope type longrope is not supported for modernbert, whose frequencies are the same for all texts");
    return rotary;
  };
  return { ...config, rotary: { full_attention: rotaryOf("full_attention", json.global_rope_theta), sliding_attention: rotaryOf("sliding_attention", json.local_rope_theta) } };
}

/** The family's keys in config.json. */
export function modernbertToJson(config: ModernBertConfig): Record<string, unknown> {
  const { full_attention: full, sliding_attention: sliding } = config.rotary;
  return {
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    hidden_activation: config.hiddenAct,
    max_position_embeddings: config.maxPositionEmbeddings,
    initializer_range: config.initializerRange,
    norm_eps: config.normEps,
    norm_bias: config.normBias,
    pad_token_id: config.padTokenId,
    attention_bias: config.attentionBias,
    attention_dropout: config.attentionDropout,
    ...layerTypesToJson(config),
    local_attention: config.localAttention,
    rope_parameters: { full_attention: rotaryToJson(full), sliding_attention: rotaryToJson(sliding) },
    embedding_dropout: config.embeddingDropout,
    mlp_bias: config.mlpBias,
    mlp_dropout: config.mlpDropout,
    decoder_bias: config.decoderBias,
    classifier_pooling: config.classifierPooling,
    classifier_dropout: config.classifierDropout,
    classifier_bias: config.classifierBias,
    classifier_activation: config.classifierActivation,
    tie_word_embeddings: config.tieWordEmbeddings,
  };
}
