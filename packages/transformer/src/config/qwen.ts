import { z } from "zod";
import { layerTypesToJson, llamaLikeFromJson, llamaLikeKeys, llamaLikeToJson, type LlamaLikeConfig } from "./decoder.ts";
import { checkConfig, withDefault } from "./schema.ts";

// Qwen2 and Qwen3 have one set of keys.

export interface Qwen2Config extends LlamaLikeConfig {
  readonly modelType: "qwen2";
}

export interface Qwen3Config extends LlamaLikeConfig {
  readonly modelType: "qwen3";
}

const schema = (headDim?: number) =>
  z.object({
    ...llamaLikeKeys({ vocab_size: 151936, intermediate_size: 22016, max_position_embeddings: 32768, sliding_window: 4096, bos_token_id: undefined, eos_token_id: undefined, head_dim: headDim }),
    use_sliding_window: withDefault(z.boolean(), false),
    /** Layers from this one on have a window. */
    max_window_layers: withDefault(z.int().nonnegative(), 28),
  });

const schemas = { qwen2: schema(), qwen3: schema(128) };

function parse(modelType: keyof typeof schemas, raw: Readonly<Record<string, unknown>>): Omit<LlamaLikeConfig, "modelType"> {
  const json = checkConfig(schemas[modelType], raw);
  const slidingWindow = json.use_sliding_window ? json.sliding_window : undefined;
  const layerType = (layer: number) => (slidingWindow !== undefined && layer >= json.max_window_layers ? "sliding_attention" : "full_attention");
  return { ...llamaLikeFromJson({ ...json, sliding_window: slidingWindow }, raw, { layerType }) };
}

/** Parses a Qwen2 config.json object; errors are `CONFIG_INVALID`. */
export const parseQwen2Config = (raw: Readonly<Record<string, unknown>>): Qwen2Config => ({ ...parse("qwen2", raw), modelType: "qwen2" });

/** Parses a Qwen3 config.json object; errors are `CONFIG_INVALID`. */
export const parseQwen3Config = (raw: Readonly<Record<string, unknown>>): Qwen3Config => ({ ...parse("qwen3", raw), modelType: "qwen3" });

/** The families' keys in config.json. */
export function qwenToJson(config: Qwen2Config | Qwen3Config): Record<string, unknown> {
  return { ...llamaLikeToJson(config), ...layerTypesToJson(config), use_sliding_window: config.slidingWindow !== undefined };
}
