import { z } from "zod";
import { encoderFromJson, encoderKeys, encoderToJson, type EncoderConfig } from "./encoder.ts";
import { checkConfig, size, withDefault } from "./schema.ts";

export interface ElectraConfig extends EncoderConfig {
  readonly modelType: "electra";
  /** Of the embeddings, which are projected to the hidden size where it is another. */
  readonly embeddingSize: number;
}

const electraSchema = z.object({
  ...encoderKeys({ hidden_size: 256, num_attention_heads: 4, intermediate_size: 1024 }),
  embedding_size: withDefault(size, 128),
  type_vocab_size: withDefault(size, 2),
});

/** Parses an ELECTRA config.json object; errors are `CONFIG_INVALID`. */
export function parseElectraConfig(raw: Readonly<Record<string, unknown>>): ElectraConfig {
  const json = checkConfig(electraSchema, raw);
  return { ...encoderFromJson(json, raw), modelType: "electra", typeVocabSize: json.type_vocab_size, embeddingSize: json.embedding_size };
}

/** The family's keys in config.json. */
export function electraToJson(config: ElectraConfig): Record<string, unknown> {
  return { ...encoderToJson(config), embedding_size: config.embeddingSize, type_vocab_size: config.typeVocabSize };
}
