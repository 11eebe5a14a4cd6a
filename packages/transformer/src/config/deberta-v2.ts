import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { encoderFromJson, encoderKeys, encoderToJson, type EncoderConfig } from "./encoder.ts";
import { activation, checkConfig, optional, probability, size, withDefault, type HiddenAct } from "./schema.ts";

/** DeBERTa-v2 and v3. */
export interface DebertaV2Config extends EncoderConfig {
  readonly modelType: "deberta-v2";
  /** Scores depend on how far tokens are apart. */
  readonly relativeAttention: boolean;
  /** How: of the query's content and the key's place, `c2p`, and of the query's place and the key's content, `p2c`. */
  readonly posAttType: readonly string[];
  /** Distances from this on are one; below 1: `maxPositionEmbeddings`. */
  readonly maxRelativePositions: number;
  /** Each way, small distances exactly and larger ones on a logarithmic scale; below 1: all distances exactly. */
  readonly positionBuckets: number;
  /** Places are projected by the matrices of contents. */
  readonly shareAttKey: boolean;
  /** What is done to the embeddings of distances: `none` or `layer_norm`. */
  readonly normRelEbd: string;
  /** Learned positions are added to the embeddings. */
  readonly positionBiasedInput: boolean;
  /** Of the embeddings, which are projected to the hidden size where it is another; undefined: as the hidden size. */
  readonly embeddingSize: number | undefined;
  readonly poolerDropout: number;
  readonly poolerHiddenAct: HiddenAct;
  /** undefined: as `hiddenDropoutProb`. */
  readonly clsDropout: number | undefined;
  /** Which of two sets of names a masked language model has. */
  readonly legacy: boolean;
}

const debertaV2Schema = z.object({
  ...encoderKeys({ vocab_size: 128_100, hidden_size: 1536, num_hidden_layers: 24, num_attention_heads: 24, intermediate_size: 6144 }),
  layer_norm_eps: withDefault(z.number().positive(), 1e-7),
  type_vocab_size: withDefault(z.int().nonnegative(), 0),
  relative_attention: withDefault(z.boolean(), false),
  pos_att_type: withDefault(z.union([z.array(z.string()), z.string().transform((types) => types.toLowerCase().split("|").map((type) => type.trim()))]), []),
  max_relative_positions: withDefault(z.int(), -1),
  position_buckets: withDefault(z.int(), -1),
  share_att_key: withDefault(z.boolean(), false),
  norm_rel_ebd: withDefault(z.string(), "none"),
  position_biased_input: withDefault(z.boolean(), true),
  embedding_size: optional(size),
  attention_head_size: optional(size),
  pooler_dropout: withDefault(probability, 0),
  pooler_hidden_act: activation.default("gelu"),
  pooler_hidden_size: optional(size),
  cls_dropout: optional(probability),
  legacy: withDefault(z.boolean(), true),
  // Variants whose computation differs: better refused than computed wrongly.
  conv_kernel_size: withDefault(z.literal(0, "the convolution of DeBERTa-v2 xlarge and xxlarge is not supported; choose another size, or v3"), 0),
});

/** Parses a DeBERTa-v2 config.json object; errors are `CONFIG_INVALID`. */
export function parseDebertaV2Config(raw: Readonly<Record<string, unknown>>): DebertaV2Config {
  const json = checkConfig(debertaV2Schema, raw);
  const config = encoderFromJson({ ...json, classifier_dropout: undefined }, raw);
  const { hiddenSize, numAttentionHeads } = config;
  const sizes = { attention_head_size: hiddenSize / numAttentionHeads, pooler_hidden_size: hiddenSize };
  for (const key of ["attention_head_size", "pooler_hidden_size"] as const) {
    if ((json[key] ?? sizes[key]) !== sizes[key]) throw new HeddleError("CONFIG_INVALID", `[config.json] ${key} ${json[key]} is not supported where hidden_size is ${hiddenSize} and num_attention_heads ${numAttentionHeads}: make it ${sizes[key]}`);
  }
  return {
    ...config,
    modelType: "deberta-v2",
    typeVocabSize: json.type_vocab_size,
    relativeAttention: json.relative_attention,
    posAttType: json.pos_att_type,
    maxRelativePositions: json.max_relative_positions,
    positionBuckets: json.position_buckets,
    shareAttKey: json.share_att_key,
    normRelEbd: json.norm_rel_ebd,
    positionBiasedInput: json.position_biased_input,
    embeddingSize: json.embedding_size,
    poolerDropout: json.pooler_dropout,
    poolerHiddenAct: json.pooler_hidden_act,
    clsDropout: json.cls_dropout,
    legacy: json.legacy,
  };
}

/** The family's keys in config.json. */
export function debertaV2ToJson(config: DebertaV2Config): Record<string, unknown> {
  const { classifier_dropout: _none, ...json } = encoderToJson(config);
  return {
    ...json,
    type_vocab_size: config.typeVocabSize,
    relative_attention: config.relativeAttention,
    pos_att_type: config.posAttType,
    max_relative_positions: config.maxRelativePositions,
    position_buckets: config.positionBuckets,
    share_att_key: config.shareAttKey,
    norm_rel_ebd: config.normRelEbd,
    position_biased_input: config.positionBiasedInput,
    ...(config.embeddingSize !== undefined && { embedding_size: config.embeddingSize }),
    pooler_dropout: config.poolerDropout,
    pooler_hidden_act: config.poolerHiddenAct,
    pooler_hidden_size: config.hiddenSize,
    ...(config.clsDropout !== undefined && { cls_dropout: config.clsDropout }),
    legacy: config.legacy,
  };
}
