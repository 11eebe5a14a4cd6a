/** Where a text may be cut so that the tokens of its start are the first tokens of the whole. */
export type CutRule = "words" | "byte-level-words" | "never";

const WORD_CUT = /(?= )|(?<=[\u4e00-\u9fff])(?=[\u4e00-\u9fff])/g;
const BYTE_LEVEL_CUT = /(?<=\S)(?= [A-Za-z])/g;

/** The first place at or after `from` where the rule allows a cut; the text's length when there is none. */
export function safeCut(text: string, from: number, rule: CutRule): number {
  if (rule === "never" || from >= text.length) return text.length;
  const pattern = rule === "words" ? WORD_CUT : BYTE_LEVEL_CUT;
  pattern.lastIndex = from;
  return pattern.exec(text)?.index ?? text.length;
}

/** The rule that holds for a tokenizer.json. */
export function cutRule(tokenizerJson: Readonly<Record<string, unknown>>): CutRule {
  type Part = { type?: string; use_regex?: boolean; add_prefix_space?: boolean } | null | undefined;
  const normalizer = tokenizerJson["normalizer"] as Part;
  const preTokenizer = tokenizerJson["pre_tokenizer"] as Part;
  const added = (tokenizerJson["added_tokens"] ?? []) as { content: string; lstrip?: boolean; rstrip?: boolean }[];
  // Such a token reaches beyond the place where the text would be cut.
  if (added.some(({ content, lstrip, rstrip }) => lstrip || rstrip || /\s/.test(content))) return "never";
  if (preTokenizer?.type === "BertPreTokenizer" && normalizer?.type === "BertNormalizer") return "words";
  const isPlainByteLevel = preTokenizer?.type === "ByteLevel" && preTokenizer.use_regex !== false && !normalizer;
  return isPlainByteLevel ? "byte-level-words" : "never";
}
