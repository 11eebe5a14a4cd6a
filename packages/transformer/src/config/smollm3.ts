import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { layerTypesToJson, llamaLikeFromJson, llamaLikeKeys, llamaLikeToJson, type LlamaLikeConfig } from "./decoder.ts";
import { checkConfig, optional, size, withDefault } from "./schema.ts";

export interface SmolLM3Config extends LlamaLikeConfig {
  readonly modelType: "smollm3";
  /** Of each layer: whether positions turn its queries and keys. */
  readonly usesRotary: readonly boolean[];
}

const smollm3Schema = z.object({
  ...llamaLikeKeys({
    vocab_size: 128256,
    hidden_size: 2048,
    num_hidden_layers: 36,
    num_attention_heads: 16,
    num_key_value_heads: 4,
    max_position_embeddings: 32768,
    tie_word_embeddings: true,
    pad_token_id: 128004,
    bos_token_id: 128000,
    eos_token_id: 128001,
  }),
  use_sliding_window: withDefault(z.boolean(), false),
  /** 1 where a layer has rotary positions; the name says the opposite. */
  no_rope_layers: optional(z.array(z.literal([0, 1]))),
  no_rope_layer_interval: withDefault(size, 4),
});

/** Parses a SmolLM3 config.json object; errors are `CONFIG_INVALID`. */
export function parseSmolLM3Config(raw: Readonly<Record<string, unknown>>): SmolLM3Config {
  const json = checkConfig(smollm3Schema, raw);
  const usesRotary = json.no_rope_layers?.map((uses) => uses === 1) ?? Array.from({ length: json.num_hidden_layers }, (_, layer) => (layer + 1) % json.no_rope_layer_interval !== 0);
  if (usesRotary.length < json.num_hidden_layers) throw new HeddleError("CONFIG_INVALID", `[config.json] no_rope_layers lists ${usesRotary.length} layers, num_hidden_layers is ${json.num_hidden_layers}: list all of them`);
  const slides = (layer: number) => json.use_sliding_window && json.sliding_window !== undefined && !usesRotary[layer];
  return { ...llamaLikeFromJson(json, raw, { theta: 2_000_000, layerType: (layer) => (slides(layer) ? "sliding_attention" : "full_attention") }), modelType: "smollm3", usesRotary };
}

/** The family's keys in config.json. */
export function smollm3ToJson(config: SmolLM3Config): Record<string, unknown> {
  const fits = config.usesRotary.length === config.numHiddenLayers;
  return { ...llamaLikeToJson(config), ...layerTypesToJson(config), use_sliding_window: config.layerTypes.includes("sliding_attention"), ...(fits && { no_rope_layers: config.usesRotary.map(Number) }) };
}
