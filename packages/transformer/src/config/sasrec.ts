import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { labelKeys, parseLabels, type Labels } from "./labels.ts";
import { activation, checkConfig, checkHeads, optional, probability, size, withDefault, type HiddenAct } from "./schema.ts";

/**
 * Where the layer norms of a block stand. "query", as SASRec was published: over the queries alone, and what is added back is
 * normalised too. "pre": before each sublayer. "post": after what is added back, as in BERT.
 */
export type NormPlacement = "query" | "pre" | "post";

/** A Transformer over the items that a user touched, oldest first, padded on the left. */
export interface SASRecConfig extends Labels {
  readonly modelType: "sasrec";
  readonly architectures: readonly string[];
  /** Rows 1 to `numItems` of the table of items are the catalogue. */
  readonly numItems: number;
  /** Rows of the table: padding's, the items', and any that a checkpoint has behind them. */
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: HiddenAct;
  /** The newest so many items count. */
  readonly maxPositionEmbeddings: number;
  readonly normPlacement: NormPlacement;
  /** Whether item embeddings are multiplied by √hiddenSize. */
  readonly scaleEmbeddings: boolean;
  /** A layer norm after the embeddings, and one after the last layer. */
  readonly embeddingNorm: boolean;
  readonly finalNorm: boolean;
  readonly positionEmbeddingType: "learned" | "rotary";
  /** Base of the rotary frequencies. */
  readonly ropeTheta: number;
  /** True: padding is one more item to attend to, at a position of its own, row 0 of the table of positions: as checkpoints of pmixer's SASRec were trained. */
  readonly attendToPadding: boolean;
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  readonly layerNormEps: number;
  readonly initializerRange: number;
  readonly padTokenId: number;
  /** config.json as it was read; keys that Heddle does not know are written back unchanged. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Defaults: the encoder of S3-Rec and ICLRec, which later papers take for a strong SASRec. */
const sasrecSchema = z.object({
  ...labelKeys,
  architectures: withDefault(z.array(z.string()), []),
  num_items: withDefault(size, 1),
  vocab_size: optional(size),
  hidden_size: withDefault(size, 64),
  num_hidden_layers: withDefault(size, 2),
  num_attention_heads: withDefault(size, 2),
  intermediate_size: optional(size),
  hidden_act: activation.default("gelu"),
  max_position_embeddings: withDefault(size, 50),
  norm_placement: withDefault(z.enum(["query", "pre", "post"]), "post"),
  scale_embeddings: withDefault(z.boolean(), false),
  embedding_norm: withDefault(z.boolean(), true),
  final_norm: withDefault(z.boolean(), false),
  position_embedding_type: withDefault(z.enum(["learned", "rotary"]), "learned"),
  rope_theta: withDefault(z.number().positive(), 10_000),
  attend_to_padding: withDefault(z.boolean(), false),
  hidden_dropout_prob: withDefault(probability, 0.5),
  attention_probs_dropout_prob: withDefault(probability, 0.5),
  layer_norm_eps: withDefault(z.number().positive(), 1e-12),
  initializer_range: withDefault(z.number().positive(), 0.02),
  pad_token_id: withDefault(z.literal(0, "padding is row 0 of the table of items"), 0),
});

/** Parses a SASRec config.json object; errors are `CONFIG_INVALID`. */
export function parseSASRecConfig(raw: Readonly<Record<string, unknown>>): SASRecConfig {
  const json = checkConfig(sasrecSchema, raw);
  const config: SASRecConfig = {
    ...parseLabels(json),
    modelType: "sasrec",
    architectures: json.architectures,
    numItems: json.num_items,
    vocabSize: json.vocab_size ?? json.num_items + 1,
    hiddenSize: json.hidden_size,
    numHiddenLayers: json.num_hidden_layers,
    numAttentionHeads: json.num_attention_heads,
    intermediateSize: json.intermediate_size ?? 4 * json.hidden_size,
    hiddenAct: json.hidden_act,
    maxPositionEmbeddings: json.max_position_embeddings,
    normPlacement: json.norm_placement,
    scaleEmbeddings: json.scale_embeddings,
    embeddingNorm: json.embedding_norm,
    finalNorm: json.final_norm,
    positionEmbeddingType: json.position_embedding_type,
    ropeTheta: json.rope_theta,
    attendToPadding: json.attend_to_padding,
    hiddenDropoutProb: json.hidden_dropout_prob,
    attentionProbsDropoutProb: json.attention_probs_dropout_prob,
    layerNormEps: json.layer_norm_eps,
    initializerRange: json.initializer_range,
    padTokenId: json.pad_token_id,
    raw,
  };
  check(config);
  return config;
}

function check({ numItems, vocabSize, hiddenSize, numAttentionHeads, positionEmbeddingType, attendToPadding }: SASRecConfig): void {
  checkHeads(["hidden_size", hiddenSize], ["num_attention_heads", numAttentionHeads]);
  if (vocabSize <= numItems) throw new HeddleError("CONFIG_INVALID", `[config.json] vocab_size ${vocabSize} has no room for padding and num_items ${numItems}: make it at least ${numItems + 1}`);
  if (positionEmbeddingType === "rotary" && attendToPadding) throw new HeddleError("CONFIG_INVALID", `[config.json] attend_to_padding wants learned positions, as padding has one of its own: set position_embedding_type to "learned"`);
  if (positionEmbeddingType === "rotary" && (hiddenSize / numAttentionHeads) % 2 !== 0) throw new HeddleError("CONFIG_INVALID", `[config.json] rotary positions turn pairs, and a head has ${hiddenSize / numAttentionHeads} elements: choose hidden_size so that heads are even`);
}

/** The family's keys in config.json. */
export function sasrecToJson(config: SASRecConfig): Record<string, unknown> {
  return {
    num_items: config.numItems,
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    intermediate_size: config.intermediateSize,
    hidden_act: config.hiddenAct,
    max_position_embeddings: config.maxPositionEmbeddings,
    norm_placement: config.normPlacement,
    scale_embeddings: config.scaleEmbeddings,
    embedding_norm: config.embeddingNorm,
    final_norm: config.finalNorm,
    position_embedding_type: config.positionEmbeddingType,
    rope_theta: config.ropeTheta,
    attend_to_padding: config.attendToPadding,
    hidden_dropout_prob: config.hiddenDropoutProb,
    attention_probs_dropout_prob: config.attentionProbsDropoutProb,
    layer_norm_eps: config.layerNormEps,
    initializer_range: config.initializerRange,
    pad_token_id: config.padTokenId,
  };
}
