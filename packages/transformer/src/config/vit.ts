import { z } from "zod";
import { checkImage, extent, extentToJson, type Extent, type ImageConfig } from "./image.ts";
import { labelKeys, parseLabels, type Labels } from "./labels.ts";
import { activation, checkConfig, layerCount, optional, probability, size, withDefault, type HiddenAct } from "./schema.ts";

export interface ViTConfig extends Labels, ImageConfig {
  readonly modelType: "vit";
  readonly architectures: readonly string[];
  readonly numHiddenLayers: number;
  readonly intermediateSize: number;
  readonly hiddenAct: HiddenAct;
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  readonly layerNormEps: number;
  /** Biases of queries, keys and values. */
  readonly qkvBias: boolean;
  /** undefined: as `hiddenSize`. */
  readonly poolerOutputSize: number | undefined;
  readonly poolerAct: HiddenAct;
  readonly initializerRange: number;
  /** config.json as it was read; keys that Heddle does not know are written back unchanged. */
  readonly raw: Readonly<Record<string, unknown>>;
}

const square = (side: number): Extent => [side, side];

/** Keys and defaults of transformers' `ViTConfig`. */
const vitSchema = z.object({
  ...labelKeys,
  architectures: withDefault(z.array(z.string()), []),
  hidden_size: withDefault(size, 768),
  num_hidden_layers: withDefault(layerCount, 12),
  num_attention_heads: withDefault(size, 12),
  intermediate_size: withDefault(size, 3072),
  hidden_act: activation.default("gelu"),
  hidden_dropout_prob: withDefault(probability, 0),
  attention_probs_dropout_prob: withDefault(probability, 0),
  initializer_range: withDefault(z.number().positive(), 0.02),
  layer_norm_eps: withDefault(z.number().positive(), 1e-12),
  image_size: withDefault(extent, square(224)),
  patch_size: withDefault(extent, square(16)),
  num_channels: withDefault(size, 3),
  qkv_bias: withDefault(z.boolean(), true),
  pooler_output_size: optional(size),
  pooler_act: activation.default("tanh"),
});

/** Parses a ViT config.json object; errors are `CONFIG_INVALID`. */
export function parseViTConfig(raw: Readonly<Record<string, unknown>>): ViTConfig {
  const json = checkConfig(vitSchema, raw);
  const config: ViTConfig = {
    ...parseLabels(json),
    modelType: "vit",
    architectures: json.architectures,
    hiddenSize: json.hidden_size,
    numHiddenLayers: json.num_hidden_layers,
    numAttentionHeads: json.num_attention_heads,
    intermediateSize: json.intermediate_size,
    hiddenAct: json.hidden_act,
    hiddenDropoutProb: json.hidden_dropout_prob,
    attentionProbsDropoutProb: json.attention_probs_dropout_prob,
    initializerRange: json.initializer_range,
    layerNormEps: json.layer_norm_eps,
    imageSize: json.image_size,
    patchSize: json.patch_size,
    numChannels: json.num_channels,
    qkvBias: json.qkv_bias,
    poolerOutputSize: json.pooler_output_size,
    poolerAct: json.pooler_act,
    raw,
  };
  checkImage(config);
  return config;
}

/** The family's keys in config.json. */
export function vitToJson(config: ViTConfig): Record<string, unknown> {
  return {
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    intermediate_size: config.intermediateSize,
    hidden_act: config.hiddenAct,
    hidden_dropout_prob: config.hiddenDropoutProb,
    attention_probs_dropout_prob: config.attentionProbsDropoutProb,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.layerNormEps,
    image_size: extentToJson(config.imageSize),
    patch_size: extentToJson(config.patchSize),
    num_channels: config.numChannels,
    qkv_bias: config.qkvBias,
    ...(config.poolerOutputSize !== undefined && { pooler_output_size: config.poolerOutputSize }),
    pooler_act: config.poolerAct,
  };
}
