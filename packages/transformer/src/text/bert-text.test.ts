import { describe, expect, it } from "vitest";
import { ExactBertNormalizer, ExactBertPreTokenizer } from "./bert-text.ts";

const uncased = new ExactBertNormalizer({ type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, lowercase: true });
const cased = new ExactBertNormalizer({ type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, lowercase: false });
const words = new ExactBertPreTokenizer();

// Expected values: Python tokenizers 0.23.3.
describe("BERT's clean-up as Python does it, where the library differs", () => {
  it.each([
    ["ΟΔΟΣ", "οδοσ"], // no final ς
    ["x\u{20000}y", "x \u{20000} y"], // ideographs beyond U+FFFF
    ["a\u{2b820}b", "a\u{2b820}b"], // … but not this range, by an old mistake
    ["a\u{1abf}b", "a\u{1abf}b"], // an accent younger than its tables
    ["İstanbul é\u0000\ufffd\u200b", "istanbul e"],
  ])("%s", (text, normalized) => expect(uncased.normalize(text)).toBe(normalized));

  it("keeps case and accents when told to", () => expect(cased.normalize("Éa\tÜ中")).toBe("Éa Ü 中 "));

  it("splits at its own idea of punctuation and white space", () => {
    expect(words.pre_tokenize_text("don't(a)b\u2e52c\u166dd\u0085e\ufefff")).toEqual(["don", "'", "t", "(", "a", ")", "b\u2e52c", "\u166d", "d", "e\ufefff"]);
    expect(words.pre_tokenize_text("  ")).toEqual([]);
  });
});
