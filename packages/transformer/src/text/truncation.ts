/**
 * How many tokens of a pair stay when both together may have `maxLength`: the longer one is cut first, then both
 * alike. The rule of Python's tokenizers (`utils/truncation.rs`, `LongestFirst`).
 */
export function truncatedLengths(first: number, second: number, maxLength: number): [first: number, second: number] {
  if (first + second <= maxLength) return [first, second];
  let shorter = Math.min(first, second);
  let longer = shorter > maxLength ? shorter : Math.max(shorter, maxLength - shorter);
  if (shorter + longer > maxLength) {
    shorter = Math.floor(maxLength / 2);
    longer = shorter + (maxLength % 2);
  }
  return first > second ? [longer, shorter] : [shorter, longer];
}

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
