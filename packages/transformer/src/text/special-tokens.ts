/** The special tokens that a model's inputs are built from, by role. */
export const SPECIAL_TOKEN_ROLES = ["pad", "unk", "cls", "sep", "mask", "bos", "eos"] as const;
export type SpecialTokenRole = (typeof SPECIAL_TOKEN_ROLES)[number];
export type SpecialTokens = Readonly<Partial<Record<SpecialTokenRole, string>>>;

/** Names by convention, for a tokenizer.json that comes without tokenizer_config.json. */
const USUAL_NAMES: Readonly<Record<SpecialTokenRole, readonly string[]>> = {
  pad: ["[PAD]", "<pad>", "<|pad|>", "<|padding|>"],
  unk: ["[UNK]", "<unk>"],
  cls: ["[CLS]", "<s>"],
  sep: ["[SEP]", "</s>"],
  mask: ["[MASK]", "<mask>"],
  bos: ["<s>", "<bos>", "<|endoftext|>", "<|startoftext|>"],
  eos: ["</s>", "<eos>", "<|endoftext|>"],
};

/** What tokenizer_config.json says, else the usual name where the vocabulary has it. */
export function findSpecialTokens(tokenizerConfig: Readonly<Record<string, unknown>>, isKnown: (token: string) => boolean): SpecialTokens {
  const hasOwnNames = SPECIAL_TOKEN_ROLES.some((role) => `${role}_token` in tokenizerConfig);
  const found: Partial<Record<SpecialTokenRole, string>> = {};
  for (const role of SPECIAL_TOKEN_ROLES) {
    const named = contentOf(tokenizerConfig[`${role}_token`]);
    const token = named ?? (hasOwnNames ? undefined : USUAL_NAMES[role].find(isKnown));
    if (token !== undefined && isKnown(token)) found[role] = token;
  }
  return found;
}

/** A token is written as a text, or as an object with its text under `content`. */
function contentOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "content" in value && typeof value.content === "string") return value.content;
  return undefined;
}
