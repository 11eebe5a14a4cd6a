import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { encoderFromJson, encoderKeys, encoderToJson, type EncoderConfig } from "./encoder.ts";
import { checkConfig, size, withDefault } from "./schema.ts";

/** RoBERTa and XLM-R, whose differences are in their tokenizers. */
export interface RobertaConfig extends EncoderConfig {
  readonly modelType: "roberta" | "xlm-roberta";
  /** Rows of the token types' table. Only the first is ever read. */
  readonly tokenTypes: number;
}

const schemas = {
  roberta: z.object({ ...encoderKeys({ vocab_size: 50265, pad_token_id: 1 }), type_vocab_size: withDefault(size, 2) }),
  "xlm-roberta": z.object({ ...encoderKeys({ pad_token_id: 1 }), type_vocab_size: withDefault(size, 2) }),
};

/** Positions are counted from the padding's id on: the table's first rows are for nothing. */
export const unusedPositions = ({ padTokenId }: Pick<EncoderConfig, "padTokenId">): number => padTokenId + 1;

/** The longest input in tokens, out of the table's rows. Throws CONFIG_INVALID where none is left. */
export function usablePositions(config: Pick<EncoderConfig, "padTokenId" | "maxPositionEmbeddings">): number {
  const usable = config.maxPositionEmbeddings - unusedPositions(config);
  if (usable < 1) throw new HeddleError("CONFIG_INVALID", `[config.json] max_position_embeddings ${config.maxPositionEmbeddings} leaves no position after pad_token_id ${config.padTokenId}: this family begins to count there; make it the longest input plus ${unusedPositions(config)}`);
  return usable;
}

function parse(modelType: RobertaConfig["modelType"]) {
  return (raw: Readonly<Record<string, unknown>>): RobertaConfig => {
    const json = checkConfig(schemas[modelType], raw);
    const config = encoderFromJson(json, raw);
    return { ...config, modelType, maxPositionEmbeddings: usablePositions(config), typeVocabSize: 0, tokenTypes: json.type_vocab_size };
  };
}

/** Parses a RoBERTa config.json object; errors are `CONFIG_INVALID`. */
export const parseRobertaConfig = parse("roberta");
/** Parses an XLM-R config.json object; errors are `CONFIG_INVALID`. */
export const parseXlmRobertaConfig = parse("xlm-roberta");

/** The family's keys in config.json. */
export function robertaToJson(config: RobertaConfig): Record<string, unknown> {
  return { ...encoderToJson(config), max_position_embeddings: config.maxPositionEmbeddings + unusedPositions(config), type_vocab_size: config.tokenTypes };
}
