import { z } from "zod";
import { encoderFromJson, encoderKeys, encoderToJson, type EncoderConfig } from "./encoder.ts";
import { unusedPositions, usablePositions } from "./roberta.ts";
import { checkConfig, withDefault } from "./schema.ts";

export interface MPNetConfig extends EncoderConfig {
  readonly modelType: "mpnet";
  /** Even: one half for each direction. */
  readonly relativeAttentionNumBuckets: number;
}

const mpnetSchema = z.object({
  ...encoderKeys({ vocab_size: 30527, pad_token_id: 1 }),
  relative_attention_num_buckets: withDefault(z.int().min(4).multipleOf(4, "must be a multiple of 4: half of them for each direction, and half of those for small distances"), 32),
});

/** Parses an MPNet config.json object; errors are `CONFIG_INVALID`. */
export function parseMPNetConfig(raw: Readonly<Record<string, unknown>>): MPNetConfig {
  const json = checkConfig(mpnetSchema, raw);
  const config = encoderFromJson(json, raw);
  return { ...config, modelType: "mpnet", maxPositionEmbeddings: usablePositions(config), typeVocabSize: 0, relativeAttentionNumBuckets: json.relative_attention_num_buckets };
}

/** The family's keys in config.json. */
export function mpnetToJson(config: MPNetConfig): Record<string, unknown> {
  return { ...encoderToJson(config), max_position_embeddings: config.maxPositionEmbeddings + unusedPositions(config), relative_attention_num_buckets: config.relativeAttentionNumBuckets };
}
