import { z } from "zod";
import { tokenId } from "./decoder.ts";
import { checkEncoder } from "./encoder.ts";
import { checkImage, extent, extentToJson, type Extent, type ImageConfig } from "./image.ts";
import { labelKeys, parseLabels, type Labels } from "./labels.ts";
import { activation, checkConfig, layerCount, probability, size, withDefault, type HiddenAct } from "./schema.ts";
import type { TextConfig } from "./text.ts";

/** What the two halves have in common. */
export interface ClipTowerConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly hiddenAct: HiddenAct;
  readonly layerNormEps: number;
  readonly attentionDropout: number;
  readonly initializerRange: number;
  /** As it was read; keys that Heddle does not know are written back unchanged. */
  readonly raw: Readonly<Record<string, unknown>>;
}

export interface ClipTextConfig extends ClipTowerConfig, TextConfig {
  readonly padTokenId: number;
  readonly bosTokenId: number;
  /** Ends a text, which is then known by what stands there; 2 in older files, where it is the highest id instead. */
  readonly eosTokenId: number;
}

export interface ClipVisionConfig extends ClipTowerConfig, ImageConfig {}

export interface ClipConfig extends Labels {
  readonly modelType: "clip";
  readonly architectures: readonly string[];
  readonly textConfig: ClipTextConfig;
  readonly visionConfig: ClipVisionConfig;
  /** Of the vectors that images and texts have in common. */
  readonly projectionDim: number;
  /** Logarithm of what their products are multiplied by, at first. */
  readonly logitScaleInitValue: number;
  /** config.json as it was read; keys that Heddle does not know are written back unchanged. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Keys and defaults of transformers' `CLIPTextConfig` and `CLIPVisionConfig`. */
const towerKeys = (hidden: number, heads: number) => ({
  hidden_size: withDefault(size, hidden),
  intermediate_size: withDefault(size, 4 * hidden),
  num_hidden_layers: withDefault(layerCount, 12),
  num_attention_heads: withDefault(size, heads),
  hidden_act: activation.default("quick_gelu"),
  layer_norm_eps: withDefault(z.number().positive(), 1e-5),
  attention_dropout: withDefault(probability, 0),
  initializer_range: withDefault(z.number().positive(), 0.02),
});

const textSchema = z.object({
  ...towerKeys(512, 8),
  vocab_size: withDefault(size, 49_408),
  max_position_embeddings: withDefault(size, 77),
  pad_token_id: withDefault(tokenId, 1),
  bos_token_id: withDefault(tokenId, 49_406),
  eos_token_id: withDefault(tokenId, 49_407),
});

const square = (side: number): Extent => [side, side];

const visionSchema = z.object({
  ...towerKeys(768, 12),
  num_channels: withDefault(size, 3),
  image_size: withDefault(extent, square(224)),
  patch_size: withDefault(extent, square(32)),
});

const tower = z.record(z.string(), z.unknown()).nullish();

const clipSchema = z.object({
  ...labelKeys,
  architectures: withDefault(z.array(z.string()), []),
  projection_dim: withDefault(size, 512),
  logit_scale_init_value: withDefault(z.number(), 2.6592),
  text_config: tower,
  vision_config: tower,
  // Older files have these beside the others, and they count for more.
  text_config_dict: tower,
  vision_config_dict: tower,
});

type TowerJson = z.output<z.ZodObject<ReturnType<typeof towerKeys>>>;

const towerFromJson = (json: TowerJson, raw: Readonly<Record<string, unknown>>): ClipTowerConfig => ({
  hiddenSize: json.hidden_size,
  intermediateSize: json.intermediate_size,
  numHiddenLayers: json.num_hidden_layers,
  numAttentionHeads: json.num_attention_heads,
  hiddenAct: json.hidden_act,
  layerNormEps: json.layer_norm_eps,
  attentionDropout: json.attention_dropout,
  initializerRange: json.initializer_range,
  raw,
});

function parseText(raw: Readonly<Record<string, unknown>>): ClipTextConfig {
  const json = checkConfig(textSchema, raw);
  const config = {
    ...towerFromJson(json, raw),
    vocabSize: json.vocab_size,
    maxPositionEmbeddings: json.max_position_embeddings,
    padTokenId: json.pad_token_id,
    bosTokenId: json.bos_token_id,
    eosTokenId: json.eos_token_id,
  };
  checkEncoder(config, { hiddenSize: "text_config.hidden_size", numAttentionHeads: "num_attention_heads" });
  return config;
}

function parseVision(raw: Readonly<Record<string, unknown>>): ClipVisionConfig {
  const json = checkConfig(visionSchema, raw);
  const config = { ...towerFromJson(json, raw), numChannels: json.num_channels, imageSize: json.image_size, patchSize: json.patch_size };
  checkImage(config, "config.json, vision_config");
  return config;
}

/** Parses a CLIP config.json object; errors are `CONFIG_INVALID`. */
export function parseClipConfig(raw: Readonly<Record<string, unknown>>): ClipConfig {
  const json = checkConfig(clipSchema, raw);
  return {
    ...parseLabels(json),
    modelType: "clip",
    architectures: json.architectures,
    textConfig: parseText(json.text_config_dict ?? json.text_config ?? {}),
    visionConfig: parseVision(json.vision_config_dict ?? json.vision_config ?? {}),
    projectionDim: json.projection_dim,
    logitScaleInitValue: json.logit_scale_init_value,
    raw,
  };
}

const towerToJson = (config: ClipTowerConfig): Record<string, unknown> => ({
  ...config.raw,
  hidden_size: config.hiddenSize,
  intermediate_size: config.intermediateSize,
  num_hidden_layers: config.numHiddenLayers,
  num_attention_heads: config.numAttentionHeads,
  hidden_act: config.hiddenAct,
  layer_norm_eps: config.layerNormEps,
  attention_dropout: config.attentionDropout,
  initializer_range: config.initializerRange,
});

/** The family's keys in config.json. */
export function clipToJson({ textConfig: text, visionConfig: vision, projectionDim, logitScaleInitValue, raw }: ClipConfig): Record<string, unknown> {
  return {
    text_config: {
      ...towerToJson(text),
      vocab_size: text.vocabSize,
      max_position_embeddings: text.maxPositionEmbeddings,
      pad_token_id: text.padTokenId,
      bos_token_id: text.bosTokenId,
      eos_token_id: text.eosTokenId,
      model_type: "clip_text_model",
    },
    vision_config: {
      ...towerToJson(vision),
      num_channels: vision.numChannels,
      image_size: extentToJson(vision.imageSize),
      patch_size: extentToJson(vision.patchSize),
      model_type: "clip_vision_model",
    },
    ...("text_config_dict" in raw && { text_config_dict: null }),
    ...("vision_config_dict" in raw && { vision_config_dict: null }),
    projection_dim: projectionDim,
    logit_scale_init_value: logitScaleInitValue,
  };
}
