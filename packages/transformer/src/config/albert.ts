import { z } from "zod";
import { encoderFromJson, encoderKeys, encoderToJson, type EncoderConfig } from "./encoder.ts";
import { checkConfig, optional, probability, size, withDefault } from "./schema.ts";

export interface AlbertConfig extends EncoderConfig {
  readonly modelType: "albert";
  readonly embeddingSize: number;
  /** Sets of weights; the layers take turns in blocks. */
  readonly numHiddenGroups: number;
  /** Layers of one set. */
  readonly innerGroupNum: number;
}

const albertSchema = z.object({
  ...encoderKeys({ vocab_size: 30000, hidden_size: 4096, num_attention_heads: 64, intermediate_size: 16384, hidden_act: "gelu_new", dropout: 0 }),
  embedding_size: withDefault(size, 128),
  type_vocab_size: withDefault(size, 2),
  num_hidden_groups: withDefault(size, 1),
  inner_group_num: withDefault(size, 1),
  classifier_dropout_prob: optional(probability),
});

const CLASSIFIER_DROPOUT = 0.1;

/** Parses an ALBERT config.json object; errors are `CONFIG_INVALID`. */
export function parseAlbertConfig(raw: Readonly<Record<string, unknown>>): AlbertConfig {
  const json = checkConfig(albertSchema, raw);
  return {
    ...encoderFromJson(json, raw),
    modelType: "albert",
    typeVocabSize: json.type_vocab_size,
    embeddingSize: json.embedding_size,
    numHiddenGroups: json.num_hidden_groups,
    innerGroupNum: json.inner_group_num,
    classifierDropout: json.classifier_dropout_prob ?? CLASSIFIER_DROPOUT,
  };
}

/** The family's keys in config.json. */
export function albertToJson(config: AlbertConfig): Record<string, unknown> {
  const { classifier_dropout, ...json } = encoderToJson(config);
  return {
    ...json,
    classifier_dropout_prob: classifier_dropout,
    embedding_size: config.embeddingSize,
    type_vocab_size: config.typeVocabSize,
    num_hidden_groups: config.numHiddenGroups,
    inner_group_num: config.innerGroupNum,
  };
}
