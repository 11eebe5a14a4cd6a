import { z } from "zod";
import { llamaLikeFromJson, llamaLikeKeys, llamaLikeToJson, type LlamaLikeConfig } from "./decoder.ts";
import { checkConfig } from "./schema.ts";

export interface LlamaConfig extends LlamaLikeConfig {
  readonly modelType: "llama";
}

const llamaSchema = z.object(llamaLikeKeys());

/** Parses a Llama config.json object; errors are `CONFIG_INVALID`. */
export function parseLlamaConfig(raw: Readonly<Record<string, unknown>>): LlamaConfig {
  return { ...llamaLikeFromJson(checkConfig(llamaSchema, raw), raw), modelType: "llama" };
}

/** The family's keys in config.json. */
export const llamaToJson: (config: LlamaConfig) => Record<string, unknown> = llamaLikeToJson;
