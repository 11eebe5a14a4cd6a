import { z } from "zod";
import { tokenId, tokenIds } from "./decoder.ts";
import { labelKeys, parseLabels } from "./labels.ts";
import type { Seq2SeqConfig } from "./seq2seq.ts";
import { activation, checkConfig, checkHeads, layerCount, optional, probability, size, withDefault } from "./schema.ts";

// BART, Marian and Whisper have most keys in common.

/** What the three say. */
export interface BartLikeConfig extends Seq2SeqConfig {
  readonly encoderIntermediateSize: number;
  /** After embeddings and sublayers; of attention's probabilities; inside the feed-forward network. */
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activationDropout: number;
  /** Embeddings are multiplied by √hiddenSize. */
  readonly scaleEmbedding: boolean;
}

export interface BartConfig extends BartLikeConfig {
  readonly modelType: "bart";
  readonly classifierDropout: number;
}

export interface MarianConfig extends BartLikeConfig {
  readonly modelType: "marian";
}

interface BartDefaults {
  readonly vocab_size: number;
  readonly d_model: number;
  readonly layers: number;
  readonly heads: number;
  readonly ffn_dim: number;
  readonly dropout: number;
  readonly scale_embedding: boolean;
  readonly pad_token_id: number;
  readonly bos_token_id: number;
  readonly eos_token_id: number;
  readonly decoder_start_token_id: number;
}

const BART: BartDefaults = { vocab_size: 50265, d_model: 1024, layers: 12, heads: 16, ffn_dim: 4096, dropout: 0.1, scale_embedding: false, pad_token_id: 1, bos_token_id: 0, eos_token_id: 2, decoder_start_token_id: 2 };
const MARIAN: BartDefaults = { ...BART, vocab_size: 58101, scale_embedding: false, pad_token_id: 58100, eos_token_id: 0, decoder_start_token_id: 58100 };

/** The keys that the three share, with a family's defaults. */
export function bartKeys(base: BartDefaults) {
  return {
    ...labelKeys,
    architectures: withDefault(z.array(z.string()), []),
    vocab_size: withDefault(size, base.vocab_size),
    d_model: withDefault(size, base.d_model),
    encoder_layers: withDefault(layerCount, base.layers),
    decoder_layers: withDefault(layerCount, base.layers),
    encoder_attention_heads: withDefault(size, base.heads),
    decoder_attention_heads: withDefault(size, base.heads),
    encoder_ffn_dim: withDefault(size, base.ffn_dim),
    decoder_ffn_dim: withDefault(size, base.ffn_dim),
    activation_function: activation.default("gelu"),
    dropout: withDefault(probability, base.dropout),
    attention_dropout: withDefault(probability, 0),
    activation_dropout: withDefault(probability, 0),
    init_std: withDefault(z.number().positive(), 0.02),
    scale_embedding: withDefault(z.boolean(), base.scale_embedding),
    tie_word_embeddings: withDefault(z.boolean(), true),
    pad_token_id: withDefault(tokenId, base.pad_token_id),
    bos_token_id: withDefault(tokenId, base.bos_token_id),
    eos_token_id: optional(tokenIds).transform((ids) => ids ?? [base.eos_token_id]),
    decoder_start_token_id: withDefault(tokenId, base.decoder_start_token_id),
    forced_eos_token_id: optional(tokenId),
  };
}

type BartJson = { [K in keyof ReturnType<typeof bartKeys>]: z.output<ReturnType<typeof bartKeys>[K]> };

/** What `bartKeys` read, under Heddle's names, and checked. */
export function bartFromJson(json: BartJson, maxPositionEmbeddings: number, raw: Readonly<Record<string, unknown>>): Omit<BartLikeConfig, "modelType"> {
  for (const key of ["encoder_attention_heads", "decoder_attention_heads"] as const) checkHeads(["d_model", json.d_model], [key, json[key]]);
  return {
    ...parseLabels(json),
    architectures: json.architectures,
    vocabSize: json.vocab_size,
    hiddenSize: json.d_model,
    headDim: json.d_model / json.decoder_attention_heads,
    numEncoderLayers: json.encoder_layers,
    numHiddenLayers: json.decoder_layers,
    numEncoderAttentionHeads: json.encoder_attention_heads,
    numAttentionHeads: json.decoder_attention_heads,
    encoderIntermediateSize: json.encoder_ffn_dim,
    intermediateSize: json.decoder_ffn_dim,
    hiddenAct: json.activation_function,
    dropout: json.dropout,
    attentionDropout: json.attention_dropout,
    activationDropout: json.activation_dropout,
    scaleEmbedding: json.scale_embedding,
    tieWordEmbeddings: json.tie_word_embeddings,
    maxPositionEmbeddings,
    initializerRange: json.init_std,
    padTokenId: json.pad_token_id,
    bosTokenId: json.bos_token_id,
    eosTokenIds: json.eos_token_id,
    decoderStartTokenId: json.decoder_start_token_id,
    forcedEosTokenId: json.forced_eos_token_id,
    raw,
  };
}

/** The same keys, to be written. */
export function bartLikeToJson(config: BartLikeConfig): Record<string, unknown> {
  return {
    vocab_size: config.vocabSize,
    d_model: config.hiddenSize,
    encoder_layers: config.numEncoderLayers,
    decoder_layers: config.numHiddenLayers,
    encoder_attention_heads: config.numEncoderAttentionHeads,
    decoder_attention_heads: config.numAttentionHeads,
    encoder_ffn_dim: config.encoderIntermediateSize,
    decoder_ffn_dim: config.intermediateSize,
    activation_function: config.hiddenAct,
    dropout: config.dropout,
    attention_dropout: config.attentionDropout,
    activation_dropout: config.activationDropout,
    init_std: config.initializerRange,
    scale_embedding: config.scaleEmbedding,
    tie_word_embeddings: config.tieWordEmbeddings,
    pad_token_id: config.padTokenId,
    bos_token_id: config.bosTokenId ?? null,
    eos_token_id: config.eosTokenIds.length > 1 ? config.eosTokenIds : (config.eosTokenIds[0] ?? null),
    decoder_start_token_id: config.decoderStartTokenId,
    forced_eos_token_id: config.forcedEosTokenId ?? null,
    is_encoder_decoder: true,
  };
}

const bartSchema = z.object({ ...bartKeys(BART), max_position_embeddings: withDefault(size, 1024), classifier_dropout: withDefault(probability, 0) });
const marianSchema = z.object({
  ...bartKeys(MARIAN),
  max_position_embeddings: withDefault(size, 1024),
  share_encoder_decoder_embeddings: withDefault(z.literal(true, "only one vocabulary for both languages is supported"), true),
});

/** Parses a BART config.json object; errors are `CONFIG_INVALID`. */
export function parseBartConfig(raw: Readonly<Record<string, unknown>>): BartConfig {
  const json = checkConfig(bartSchema, raw);
  return { ...bartFromJson(json, json.max_position_embeddings, raw), modelType: "bart", classifierDropout: json.classifier_dropout };
}

/** Parses a Marian config.json object; errors are `CONFIG_INVALID`. */
export function parseMarianConfig(raw: Readonly<Record<string, unknown>>): MarianConfig {
  const json = checkConfig(marianSchema, raw);
  return { ...bartFromJson(json, json.max_position_embeddings, raw), modelType: "marian" };
}

/** The families' keys in config.json. */
export const bartToJson = (config: BartConfig): Record<string, unknown> => ({ ...bartLikeToJson(config), max_position_embeddings: config.maxPositionEmbeddings, classifier_dropout: config.classifierDropout });
export const marianToJson = (config: MarianConfig): Record<string, unknown> => ({ ...bartLikeToJson(config), max_position_embeddings: config.maxPositionEmbeddings });
