import { z } from "zod";
import { encoderFromJson, encoderKeys, encoderToJson, type EncoderConfig } from "./encoder.ts";
import { checkConfig, size, withDefault } from "./schema.ts";

export interface BertConfig extends EncoderConfig {
  readonly modelType: "bert";
}

const bertSchema = z.object({ ...encoderKeys(), type_vocab_size: withDefault(size, 2) });

/** Parses a BERT config.json object; errors are `CONFIG_INVALID`. */
export function parseBertConfig(raw: Readonly<Record<string, unknown>>): BertConfig {
  const json = checkConfig(bertSchema, raw);
  return { ...encoderFromJson(json, raw), modelType: "bert", typeVocabSize: json.type_vocab_size };
}

/** The family's keys in config.json. */
export const bertToJson = (config: BertConfig): Record<string, unknown> => ({ ...encoderToJson(config), type_vocab_size: config.typeVocabSize });
