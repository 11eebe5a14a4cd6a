import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { labelKeys, parseLabels, type Labels } from "./labels.ts";
import { activation, checkHeads, layerCount, optional, probability, size, withDefault, type HiddenAct } from "./schema.ts";

/** What every bidirectional encoder's configuration says, under one set of names. */
export interface EncoderConfig extends Labels {
  readonly modelType: string;
  readonly architectures: readonly string[];
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: HiddenAct;
  /** The longest input in tokens. */
  readonly maxPositionEmbeddings: number;
  /** 0 where the family has no token types. */
  readonly typeVocabSize: number;
  readonly layerNormEps: number;
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  /** undefined: as `hiddenDropoutProb`. */
  readonly classifierDropout: number | undefined;
  readonly initializerRange: number;
  readonly padTokenId: number;
  /** config.json as it was read; keys that Heddle does not know are written back unchanged. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Rules that span several keys. `keys` are the family's own names for them, for the message. */
export function checkEncoder(config: Pick<EncoderConfig, "hiddenSize" | "numAttentionHeads" | "padTokenId" | "vocabSize">, keys: { hiddenSize: string; numAttentionHeads: string }): void {
  const { hiddenSize, numAttentionHeads, padTokenId, vocabSize } = config;
  checkHeads([keys.hiddenSize, hiddenSize], [keys.numAttentionHeads, numAttentionHeads]);
  if (padTokenId >= vocabSize) {
    throw new HeddleError("CONFIG_INVALID", `[config.json] pad_token_id ${padTokenId} is not below vocab_size ${vocabSize}: set it to the tokenizer's [PAD] id`);
  }
}

interface EncoderDefaults {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly max_position_embeddings: number;
  readonly pad_token_id: number;
  readonly hidden_act: HiddenAct;
  readonly dropout: number;
}

const BERT_BASE: EncoderDefaults = { vocab_size: 30522, hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072, max_position_embeddings: 512, pad_token_id: 0, hidden_act: "gelu", dropout: 0.1 };

/** The keys that BERT and its descendants share in config.json, with transformers' defaults where they differ from BERT's. */
export function encoderKeys(defaults: Partial<EncoderDefaults> = {}) {
  const base = { ...BERT_BASE, ...defaults };
  return {
    ...labelKeys,
    architectures: withDefault(z.array(z.string()), []),
    vocab_size: withDefault(size, base.vocab_size),
    hidden_size: withDefault(size, base.hidden_size),
    num_hidden_layers: withDefault(layerCount, base.num_hidden_layers),
    num_attention_heads: withDefault(size, base.num_attention_heads),
    intermediate_size: withDefault(size, base.intermediate_size),
    hidden_act: activation.default(base.hidden_act),
    hidden_dropout_prob: withDefault(probability, base.dropout),
    attention_probs_dropout_prob: withDefault(probability, base.dropout),
    max_position_embeddings: withDefault(size, base.max_position_embeddings),
    initializer_range: withDefault(z.number().positive(), 0.02),
    layer_norm_eps: withDefault(z.number().positive(), 1e-12),
    pad_token_id: withDefault(z.int().nonnegative(), base.pad_token_id),
    classifier_dropout: optional(probability),
    // Variants whose computation differs: better refused than computed wrongly.
    position_embedding_type: withDefault(z.literal("absolute", "only absolute position embeddings are supported"), "absolute"),
    is_decoder: withDefault(z.literal(false, "only the encoder is supported, set it to false"), false),
    add_cross_attention: withDefault(z.literal(false, "only the encoder is supported, set it to false"), false),
  };
}

type EncoderJson = { [K in keyof ReturnType<typeof encoderKeys>]: z.output<ReturnType<typeof encoderKeys>[K]> };

/** What `encoderKeys` read, under Heddle's names, and checked. */
export function encoderFromJson(json: EncoderJson, raw: Readonly<Record<string, unknown>>): Omit<EncoderConfig, "modelType" | "typeVocabSize"> {
  const config = {
    ...parseLabels(json),
    architectures: json.architectures,
    vocabSize: json.vocab_size,
    hiddenSize: json.hidden_size,
    numHiddenLayers: json.num_hidden_layers,
    numAttentionHeads: json.num_attention_heads,
    intermediateSize: json.intermediate_size,
    hiddenAct: json.hidden_act,
    maxPositionEmbeddings: json.max_position_embeddings,
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

/** The same keys, to be written. */
export function encoderToJson(config: EncoderConfig): Record<string, unknown> {
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
    initializer_range: config.initializerRange,
    layer_norm_eps: config.layerNormEps,
    pad_token_id: config.padTokenId,
    classifier_dropout: config.classifierDropout ?? null,
  };
}
