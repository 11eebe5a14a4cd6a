/** Special tokens of an encoder in the order of their ids, from 0. */
export const ENCODER_SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] as const;

/** `added_tokens` of tokenizer.json, with ids from 0. */
export function addedTokens(tokens: readonly string[]): object[] {
  return tokens.map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }));
}

/** `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]` with token types 0 and 1. */
export function encoderTemplate(): object {
  const special = (token: string, typeId: number): object => ({ SpecialToken: { id: token, type_id: typeId } });
  const sequence = (id: "A" | "B", typeId: number): object => ({ Sequence: { id, type_id: typeId } });
  const entry = (token: (typeof ENCODER_SPECIAL_TOKENS)[number]): object => ({ id: token, ids: [ENCODER_SPECIAL_TOKENS.indexOf(token)], tokens: [token] });
  return {
    type: "TemplateProcessing",
    single: [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)],
    pair: [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0), sequence("B", 1), special("[SEP]", 1)],
    special_tokens: { "[CLS]": entry("[CLS]"), "[SEP]": entry("[SEP]") },
  };
}

/** tokenizer_config.json of an encoder, as Python's AutoTokenizer reads it. */
export function encoderTokenizerConfig(modelMaxLength: number): Record<string, unknown> {
  return {
    // The class that takes tokenizer.json as it is; BertTokenizer would want to rebuild parts of it.
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: modelMaxLength,
    model_input_names: ["input_ids", "token_type_ids", "attention_mask"],
    pad_token: "[PAD]",
    unk_token: "[UNK]",
    cls_token: "[CLS]",
    sep_token: "[SEP]",
    mask_token: "[MASK]",
    clean_up_tokenization_spaces: false,
  };
}
