import { z } from "zod";
import { llamaLikeFromJson, llamaLikeKeys, llamaLikeToJson, type LlamaLikeConfig } from "./decoder.ts";
import { checkConfig } from "./schema.ts";

export interface MistralConfig extends LlamaLikeConfig {
  readonly modelType: "mistral";
}

const mistralSchema = z.object(llamaLikeKeys({ intermediate_size: 14336, num_key_value_heads: 8, max_position_embeddings: 4096 * 32, sliding_window: 4096 }));

/** Parses a Mistral config.json object; errors are `CONFIG_INVALID`. */
export function parseMistralConfig(raw: Readonly<Record<string, unknown>>): MistralConfig {
  const json = checkConfig(mistralSchema, raw);
  return { ...llamaLikeFromJson(json, raw, { layerType: () => (json.sliding_window === undefined ? "full_attention" : "sliding_attention") }), modelType: "mistral" };
}

/** The family's keys in config.json. */
export const mistralToJson: (config: MistralConfig) => Record<string, unknown> = llamaLikeToJson;
