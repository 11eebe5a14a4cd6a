import { z } from "zod";
import { layerTypesToJson, llamaLikeFromJson, llamaLikeKeys, llamaLikeToJson, type LayerType, type LlamaLikeConfig } from "./decoder.ts";
import { activation, checkConfig, optional, size, withDefault } from "./schema.ts";

// Gemma 2 and Gemma 3 share most keys.

export interface GemmaConfig extends LlamaLikeConfig {
  /** Queries are divided by its square root. */
  readonly queryPreAttnScalar: number;
  /** Scores of keys are kept between its negative and itself; undefined: not. */
  readonly attnLogitSoftcapping: number | undefined;
  /** The same for scores of tokens. */
  readonly finalLogitSoftcapping: number | undefined;
}

export interface Gemma2Config extends GemmaConfig {
  readonly modelType: "gemma2";
}

export interface Gemma3Config extends GemmaConfig {
  readonly modelType: "gemma3_text";
}

const schema = (vocab: number, maxPositions: number) =>
  z.object({
    ...llamaLikeKeys({
      vocab_size: vocab,
      hidden_size: 2304,
      intermediate_size: 9216,
      num_hidden_layers: 26,
      num_attention_heads: 8,
      num_key_value_heads: 4,
      head_dim: 256,
      max_position_embeddings: maxPositions,
      sliding_window: 4096,
      tie_word_embeddings: true,
      pad_token_id: 0,
      bos_token_id: 2,
      eos_token_id: 1,
    }),
    hidden_activation: activation.default("gelu_new"),
    query_pre_attn_scalar: withDefault(z.number().positive(), 256),
    attn_logit_softcapping: optional(z.number().positive()),
    final_logit_softcapping: optional(z.number().positive()),
    use_bidirectional_attention: withDefault(z.literal(false, "only causal attention is supported, set it to false"), false),
    sliding_window_pattern: withDefault(size, 6),
    rope_local_base_freq: withDefault(z.number().positive(), 10_000),
  });

const schemas = { gemma2: schema(256_000, 8192), gemma3_text: schema(262_208, 131_072) };

type GemmaJson = z.output<typeof schemas.gemma2>;

function fromJson(json: GemmaJson, raw: Readonly<Record<string, unknown>>, layerType: (layer: number) => LayerType): Omit<GemmaConfig, "modelType"> {
  return {
    ...llamaLikeFromJson({ ...json, hidden_act: json.hidden_activation }, raw, { layerType }),
    queryPreAttnScalar: json.query_pre_attn_scalar,
    attnLogitSoftcapping: json.attn_logit_softcapping,
    finalLogitSoftcapping: json.final_logit_softcapping,
  };
}

/** transformers' defaults where config.json has no such keys; null there means none. */
const GEMMA2_CAPS = { attn_logit_softcapping: 50, final_logit_softcapping: 30 };

/** Parses a Gemma 2 config.json object; errors are `CONFIG_INVALID`. */
export function parseGemma2Config(raw: Readonly<Record<string, unknown>>): Gemma2Config {
  const json = checkConfig(schemas.gemma2, { ...GEMMA2_CAPS, ...raw });
  return { ...fromJson(json, raw, (layer) => (layer % 2 === 0 ? "sliding_attention" : "full_attention")), modelType: "gemma2" };
}

/** Parses a Gemma 3 config.json object, of a text model; errors are `CONFIG_INVALID`. */
export function parseGemma3Config(raw: Readonly<Record<string, unknown>>): Gemma3Config {
  const json = checkConfig(schemas.gemma3_text, raw);
  // transformers 4 has one base for each type of layer, and scales the layers that see everything.
  const rope_parameters = json.rope_parameters ?? { full_attention: { rope_theta: json.rope_theta ?? 1_000_000, ...json.rope_scaling }, sliding_attention: { rope_theta: json.rope_local_base_freq } };
  return { ...fromJson({ ...json, rope_parameters }, raw, (layer) => ((layer + 1) % json.sliding_window_pattern === 0 ? "full_attention" : "sliding_attention")), modelType: "gemma3_text" };
}

/** The families' keys in config.json. */
export function gemmaToJson(config: Gemma2Config | Gemma3Config): Record<string, unknown> {
  const { hidden_act, ...json } = llamaLikeToJson(config);
  return {
    ...json,
    ...layerTypesToJson(config),
    hidden_activation: hidden_act,
    query_pre_attn_scalar: config.queryPreAttnScalar,
    attn_logit_softcapping: config.attnLogitSoftcapping ?? null,
    final_logit_softcapping: config.finalLogitSoftcapping ?? null,
  };
}
