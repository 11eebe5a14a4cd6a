import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { labelKeys, parseLabels, type Labels } from "./labels.ts";
import { parseRotary, rotaryToJson, type RotaryConfig } from "./rotary.ts";
import { activation, layerCount, optional, probability, size, withDefault, type HiddenAct } from "./schema.ts";

export type LayerType = "full_attention" | "sliding_attention";

/** What every decoder's configuration says, under one set of names. */
export interface DecoderConfig extends Labels {
  readonly modelType: string;
  readonly architectures: readonly string[];
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Fewer than `numAttentionHeads` share their keys and values among several queries. */
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly hiddenAct: HiddenAct;
  /** The longest text in tokens. */
  readonly maxPositionEmbeddings: number;
  readonly normEps: number;
  readonly attentionDropout: number;
  /** Tokens are scored by their embeddings. */
  readonly tieWordEmbeddings: boolean;
  readonly initializerRange: number;
  readonly padTokenId: number | undefined;
  readonly bosTokenId: number | undefined;
  /** Any of them ends a text. */
  readonly eosTokenIds: readonly number[];
  /** config.json as it was read; keys that Heddle does not know are written back unchanged. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** What Llama and its descendants add. */
export interface LlamaLikeConfig extends DecoderConfig {
  /** Keys that a query of a `sliding_attention` layer sees, its own among them. */
  readonly slidingWindow: number | undefined;
  /** Of each layer. */
  readonly layerTypes: readonly LayerType[];
  readonly rotary: Readonly<Record<LayerType, RotaryConfig>>;
  /** Biases of queries, keys, values and of attention's output. */
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
}

interface LlamaLikeDefaults {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  /** undefined: as many as attention heads. */
  readonly num_key_value_heads: number | undefined;
  /** undefined: hidden_size / num_attention_heads. */
  readonly head_dim: number | undefined;
  readonly hidden_act: HiddenAct;
  readonly max_position_embeddings: number;
  readonly rms_norm_eps: number;
  readonly sliding_window: number | undefined;
  readonly tie_word_embeddings: boolean;
  readonly pad_token_id: number | undefined;
  readonly bos_token_id: number | undefined;
  readonly eos_token_id: number | undefined;
}

const LLAMA: LlamaLikeDefaults = {
  vocab_size: 32000,
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: undefined,
  head_dim: undefined,
  hidden_act: "silu",
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-6,
  sliding_window: undefined,
  tie_word_embeddings: false,
  pad_token_id: undefined,
  bos_token_id: 1,
  eos_token_id: 2,
};

export const tokenId = z.int().nonnegative();
/** One token that ends a text, or several. */
export const tokenIds = z.union([tokenId, z.array(tokenId)]).transform((ids) => [ids].flat());

/** The keys that Llama and its descendants share in config.json, with transformers' defaults where they differ from Llama's. */
export function llamaLikeKeys(defaults: Partial<LlamaLikeDefaults> = {}) {
  const base = { ...LLAMA, ...defaults };
  /** Absent: the family's default. null: none. */
  const orElse = <T>(schema: z.ZodType<T>, value: T | undefined) => schema.nullish().transform((found): T | undefined => (found === undefined ? value : (found ?? undefined)));
  return {
    ...labelKeys,
    architectures: withDefault(z.array(z.string()), []),
    vocab_size: withDefault(size, base.vocab_size),
    hidden_size: withDefault(size, base.hidden_size),
    intermediate_size: withDefault(size, base.intermediate_size),
    num_hidden_layers: withDefault(layerCount, base.num_hidden_layers),
    num_attention_heads: withDefault(size, base.num_attention_heads),
    num_key_value_heads: orElse(size, base.num_key_value_heads),
    head_dim: orElse(size, base.head_dim),
    hidden_act: activation.default(base.hidden_act),
    max_position_embeddings: withDefault(size, base.max_position_embeddings),
    rms_norm_eps: withDefault(z.number().positive(), base.rms_norm_eps),
    attention_dropout: withDefault(probability, 0),
    attention_bias: withDefault(z.boolean(), false),
    mlp_bias: withDefault(z.boolean(), false),
    tie_word_embeddings: withDefault(z.boolean(), base.tie_word_embeddings),
    initializer_range: withDefault(z.number().positive(), 0.02),
    pad_token_id: orElse(tokenId, base.pad_token_id),
    bos_token_id: orElse(tokenId, base.bos_token_id),
    eos_token_id: orElse(tokenIds, base.eos_token_id === undefined ? undefined : [base.eos_token_id]),
    sliding_window: orElse(size, base.sliding_window),
    layer_types: optional(z.array(z.enum(["full_attention", "sliding_attention"]))),
    rope_parameters: optional(z.record(z.string(), z.unknown())),
    rope_scaling: optional(z.record(z.string(), z.unknown())),
    rope_theta: optional(z.number().positive()),
    partial_rotary_factor: optional(z.number().positive().max(1)),
    original_max_position_embeddings: optional(size),
  };
}

type LlamaLikeJson = { [K in keyof ReturnType<typeof llamaLikeKeys>]: z.output<ReturnType<typeof llamaLikeKeys>[K]> };

/** What a family decides beside the keys. */
export interface LlamaLikeRules {
  /** The type of a layer where config.json does not list them. Default: all attend to all. */
  readonly layerType?: (layer: number) => LayerType;
  /** Base of the rotary frequencies where config.json has none. Default 10,000. */
  readonly theta?: number;
}

/** What `llamaLikeKeys` read, under Heddle's names, and checked. */
export function llamaLikeFromJson(json: LlamaLikeJson, raw: Readonly<Record<string, unknown>>, { layerType = () => "full_attention", theta = 10_000 }: LlamaLikeRules = {}): Omit<LlamaLikeConfig, "modelType"> {
  const headDim = json.head_dim ?? json.hidden_size / json.num_attention_heads;
  const config = {
    ...parseLabels(json),
    architectures: json.architectures,
    vocabSize: json.vocab_size,
    hiddenSize: json.hidden_size,
    numHiddenLayers: json.num_hidden_layers,
    numAttentionHeads: json.num_attention_heads,
    numKeyValueHeads: json.num_key_value_heads ?? json.num_attention_heads,
    headDim,
    intermediateSize: json.intermediate_size,
    hiddenAct: json.hidden_act,
    maxPositionEmbeddings: json.max_position_embeddings,
    normEps: json.rms_norm_eps,
    attentionDropout: json.attention_dropout,
    attentionBias: json.attention_bias,
    mlpBias: json.mlp_bias,
    tieWordEmbeddings: json.tie_word_embeddings,
    initializerRange: json.initializer_range,
    padTokenId: json.pad_token_id,
    bosTokenId: json.bos_token_id,
    eosTokenIds: json.eos_token_id ?? [],
    slidingWindow: json.sliding_window,
    layerTypes: json.layer_types ?? Array.from({ length: json.num_hidden_layers }, (_, layer) => layerType(layer)),
    raw,
  };
  checkDecoder(config, { hiddenSize: "hidden_size", numAttentionHeads: "num_attention_heads" });
  const sliding = config.layerTypes.includes("sliding_attention");
  if (sliding && config.slidingWindow === undefined) throw new HeddleError("CONFIG_INVALID", "[config.json] has layers of sliding_attention and no sliding_window: add it, in tokens");
  checkLayerTypes(config);
  return { ...config, rotary: rotaryOf(json, headDim, theta) };
}

/** transformers 5 has a set of parameters for each type of layer where they differ. */
function rotaryOf(json: LlamaLikeJson, headDim: number, theta: number): Record<LayerType, RotaryConfig> {
  const { rope_parameters: parameters, rope_scaling: scaling } = json;
  const byType = parameters !== undefined && ("full_attention" in parameters || "sliding_attention" in parameters);
  const of = (type: LayerType) =>
    parseRotary(byType ? parameters[type] : (parameters ?? scaling), {
      headDim,
      maxPositionEmbeddings: json.max_position_embeddings,
      theta: json.rope_theta ?? theta,
      ...(json.partial_rotary_factor !== undefined && { partialRotaryFactor: json.partial_rotary_factor }),
      ...(json.original_max_position_embeddings !== undefined && { originalMaxPositionEmbeddings: json.original_max_position_embeddings }),
    });
  return { full_attention: of("full_attention"), sliding_attention: of("sliding_attention") };
}

/** Rules that span several keys. `keys` are the family's own names for them, for the message. */
export function checkDecoder({ hiddenSize, numAttentionHeads, numKeyValueHeads, headDim, padTokenId, vocabSize }: Pick<DecoderConfig, "hiddenSize" | "numAttentionHeads" | "numKeyValueHeads" | "headDim" | "padTokenId" | "vocabSize">, keys: { hiddenSize: string; numAttentionHeads: string }): void {
  if (!Number.isInteger(headDim)) {
    throw new HeddleError("CONFIG_INVALID", `[config.json] ${keys.hiddenSize} ${hiddenSize} is not divisible by ${keys.numAttentionHeads} ${numAttentionHeads}: choose a multiple, or give head_dim`);
  }
  if (numAttentionHeads % numKeyValueHeads !== 0) {
    throw new HeddleError("CONFIG_INVALID", `[config.json] ${keys.numAttentionHeads} ${numAttentionHeads} cannot be shared out among num_key_value_heads ${numKeyValueHeads}: the one must divide the other`);
  }
  if (padTokenId !== undefined && padTokenId >= vocabSize) {
    throw new HeddleError("CONFIG_INVALID", `[config.json] pad_token_id ${padTokenId} is not below vocab_size ${vocabSize}: set it to the tokenizer's padding token, or to null`);
  }
}

/** The same keys, to be written. */
export function llamaLikeToJson(config: LlamaLikeConfig): Record<string, unknown> {
  const { full_attention: full, sliding_attention: sliding } = config.rotary;
  const [ofFull, ofSliding] = [rotaryToJson(full), rotaryToJson(sliding)];
  const same = JSON.stringify(ofFull) === JSON.stringify(ofSliding);
  return {
    ...decoderToJson(config),
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    num_key_value_heads: config.numKeyValueHeads,
    head_dim: config.headDim,
    intermediate_size: config.intermediateSize,
    hidden_act: config.hiddenAct,
    max_position_embeddings: config.maxPositionEmbeddings,
    rms_norm_eps: config.normEps,
    attention_dropout: config.attentionDropout,
    attention_bias: config.attentionBias,
    mlp_bias: config.mlpBias,
    sliding_window: config.slidingWindow ?? null,
    rope_parameters: same ? ofFull : { full_attention: ofFull, sliding_attention: ofSliding },
  };
}

type Layers = Pick<LlamaLikeConfig, "layerTypes" | "numHiddenLayers">;

/** Throws CONFIG_INVALID where not every layer has its type. */
export function checkLayerTypes({ layerTypes, numHiddenLayers }: Layers): void {
  if (layerTypes.length !== numHiddenLayers) throw new HeddleError("CONFIG_INVALID", `[config.json] num_hidden_layers is ${numHiddenLayers}, layer_types lists ${layerTypes.length}: make them agree`);
}

/** For families whose layers differ. Of a configuration that was given another number of layers they follow anew. */
export const layerTypesToJson = ({ layerTypes, numHiddenLayers }: Layers): Record<string, unknown> => (layerTypes.length === numHiddenLayers ? { layer_types: layerTypes } : {});

/** Keys that all decoders have under the same names. */
export function decoderToJson(config: DecoderConfig): Record<string, unknown> {
  return {
    vocab_size: config.vocabSize,
    tie_word_embeddings: config.tieWordEmbeddings,
    initializer_range: config.initializerRange,
    pad_token_id: config.padTokenId ?? null,
    bos_token_id: config.bosTokenId ?? null,
    eos_token_id: config.eosTokenIds.length > 1 ? config.eosTokenIds : (config.eosTokenIds[0] ?? null),
  };
}
