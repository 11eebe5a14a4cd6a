import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { encoderFromJson, encoderKeys, encoderToJson, type EncoderConfig } from "./encoder.ts";
import { checkConfig, optional, size, withDefault } from "./schema.ts";

/** BERT over the items that a user touched, oldest first, padded on the left. */
export interface BERT4RecConfig extends EncoderConfig {
  readonly modelType: "bert4rec";
  /** Rows 1 to `numItems` of the table of items are the catalogue. */
  readonly numItems: number;
  /** The row behind them that stands for an item which is to be told. */
  readonly maskTokenId: number;
}

/** Sizes are SASRec's, so that the two compare: 50 items, and a place for the one to be told. */
const bert4recSchema = z.object({
  ...encoderKeys({ hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 2, max_position_embeddings: 51, dropout: 0.2 }),
  num_items: withDefault(size, 1),
  vocab_size: optional(size),
  intermediate_size: optional(size),
  mask_token_id: optional(size),
  max_position_embeddings: withDefault(size.min(2, "a window has a place for the item to be told, and one for an item before it"), 51),
  pad_token_id: withDefault(z.literal(0, "padding is row 0 of the table of items"), 0),
});

/** Parses a BERT4Rec config.json object; errors are `CONFIG_INVALID`. */
export function parseBERT4RecConfig(raw: Readonly<Record<string, unknown>>): BERT4RecConfig {
  const { num_items: numItems, mask_token_id: maskTokenId = numItems + 1, vocab_size = numItems + 2, ...json } = checkConfig(bert4recSchema, raw);
  const encoder = encoderFromJson({ ...json, vocab_size, intermediate_size: json.intermediate_size ?? 4 * json.hidden_size }, raw);
  if (maskTokenId <= numItems || maskTokenId >= vocab_size) throw new HeddleError("CONFIG_INVALID", `[config.json] mask_token_id ${maskTokenId} is not a row between num_items ${numItems} and vocab_size ${vocab_size}: make it ${numItems + 1}, and vocab_size at least ${numItems + 2}`);
  return { ...encoder, modelType: "bert4rec", typeVocabSize: 0, numItems, maskTokenId };
}

/** The family's keys in config.json. */
export const bert4recToJson = (config: BERT4RecConfig): Record<string, unknown> => ({ ...encoderToJson(config), num_items: config.numItems, mask_token_id: config.maskTokenId });
