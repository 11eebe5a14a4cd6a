import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { labelKeys, parseLabels, type Labels } from "./labels.ts";
import { checkConfig, checkHeads, layerCount, optional, probability, size, withDefault } from "./schema.ts";

/** Hierarchical sequential transduction units over the items that a user touched, oldest first, padded on the left. */
export interface HSTUConfig extends Labels {
  readonly modelType: "hstu";
  readonly architectures: readonly string[];
  /** Rows 1 to `numItems` of the table of items are the catalogue. */
  readonly numItems: number;
  /** Rows of the table: padding's, the items', and any behind them. */
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  /** Of queries, keys, values and gates, hiddenSize / numAttentionHeads elements each. */
  readonly numAttentionHeads: number;
  /** The newest so many items count, and what attention is divided by. */
  readonly maxPositionEmbeddings: number;
  /** A layer norm after the last layer. */
  readonly finalNorm: boolean;
  /** Of embeddings, and of what the last linear layer of each unit reads. */
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  readonly layerNormEps: number;
  readonly initializerRange: number;
  readonly padTokenId: number;
  /** config.json as it was read; keys that Heddle does not know are written back unchanged. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Rates and eps as the authors' experiments on public data have them, sizes as SASRec's, so that the two compare. */
const hstuSchema = z.object({
  ...labelKeys,
  architectures: withDefault(z.array(z.string()), []),
  num_items: withDefault(size, 1),
  vocab_size: optional(size),
  hidden_size: withDefault(size, 64),
  num_hidden_layers: withDefault(layerCount, 2),
  num_attention_heads: withDefault(size, 2),
  max_position_embeddings: withDefault(size, 50),
  final_norm: withDefault(z.boolean(), true),
  hidden_dropout_prob: withDefault(probability, 0.2),
  attention_probs_dropout_prob: withDefault(probability, 0),
  layer_norm_eps: withDefault(z.number().positive(), 1e-6),
  initializer_range: withDefault(z.number().positive(), 0.02),
  pad_token_id: withDefault(z.literal(0, "padding is row 0 of the table of items"), 0),
});

/** Parses an HSTU config.json object; errors are `CONFIG_INVALID`. */
export function parseHSTUConfig(raw: Readonly<Record<string, unknown>>): HSTUConfig {
  const json = checkConfig(hstuSchema, raw);
  const { num_items: numItems, vocab_size: vocabSize = numItems + 1 } = json;
  checkHeads(["hidden_size", json.hidden_size], ["num_attention_heads", json.num_attention_heads]);
  if (vocabSize <= numItems) throw new HeddleError("CONFIG_INVALID", `[config.json] vocab_size ${vocabSize} has no room for padding and num_items ${numItems}: make it at least ${numItems + 1}`);
  return {
    ...parseLabels(json),
    modelType: "hstu",
    architectures: json.architectures,
    numItems,
    vocabSize,
    hiddenSize: json.hidden_size,
    numHiddenLayers: json.num_hidden_layers,
    numAttentionHeads: json.num_attention_heads,
    maxPositionEmbeddings: json.max_position_embeddings,
    finalNorm: json.final_norm,
    hiddenDropoutProb: json.hidden_dropout_prob,
    attentionProbsDropoutProb: json.attention_probs_dropout_prob,
    layerNormEps: json.layer_norm_eps,
    initializerRange: json.initializer_range,
    padTokenId: json.pad_token_id,
    raw,
  };
}

/** The family's keys in config.json. */
export function hstuToJson(config: HSTUConfig): Record<string, unknown> {
  return {
    num_items: config.numItems,
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    max_position_embeddings: config.maxPositionEmbeddings,
    final_norm: config.finalNorm,
    hidden_dropout_prob: config.hiddenDropoutProb,
    attention_probs_dropout_prob: config.attentionProbsDropoutProb,
    layer_norm_eps: config.layerNormEps,
    initializer_range: config.initializerRange,
    pad_token_id: config.padTokenId,
  };
}
