import { z } from "zod";
import { llamaLikeFromJson, llamaLikeKeys, llamaLikeToJson, type LlamaLikeConfig } from "./decoder.ts";
import { checkConfig, probability, withDefault } from "./schema.ts";

export interface Phi3Config extends LlamaLikeConfig {
  readonly modelType: "phi3";
  /** After attention and after the feed-forward network. */
  readonly residDropout: number;
}

const phi3Schema = z.object({
  ...llamaLikeKeys({ vocab_size: 32064, hidden_size: 3072, intermediate_size: 8192, max_position_embeddings: 4096, rms_norm_eps: 1e-5, eos_token_id: 32000, pad_token_id: 32000 }),
  resid_pdrop: withDefault(probability, 0),
});

/** Parses a Phi-3 config.json object; errors are `CONFIG_INVALID`. */
export function parsePhi3Config(raw: Readonly<Record<string, unknown>>): Phi3Config {
  const json = checkConfig(phi3Schema, raw);
  const layerType = () => (json.sliding_window === undefined ? "full_attention" : "sliding_attention");
  return { ...llamaLikeFromJson(json, raw, { layerType }), modelType: "phi3", residDropout: json.resid_pdrop };
}

/** The family's keys in config.json. */
export const phi3ToJson = (config: Phi3Config): Record<string, unknown> => ({ ...llamaLikeToJson(config), resid_pdrop: config.residDropout });
