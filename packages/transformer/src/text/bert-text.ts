import { BertNormalizer, BertPreTokenizer } from "@huggingface/tokenizers";
import {
  BERT_IDEOGRAPHS,
  characterClass,
  FORMATS_UNKNOWN_TO_TOKENIZERS,
  MARKS_UNKNOWN_TO_TOKENIZERS,
  PUNCTUATION_ONLY_IN_TOKENIZERS,
  PUNCTUATION_UNKNOWN_TO_TOKENIZERS,
} from "./unicode-ranges.ts";

const PLAIN_ASCII = /^[\x20-\x7e]*$/;
const DROPPED = new RegExp(`(?![\\t\\n\\r${characterClass(FORMATS_UNKNOWN_TO_TOKENIZERS)}])[\\0\\ufffd\\p{Cc}\\p{Cf}\\p{Co}\\p{Cs}]`, "gu");
const WHITE_SPACE = /\p{White_Space}/gu;
const IDEOGRAPH = new RegExp(`[${characterClass(BERT_IDEOGRAPHS)}]`, "gu");
const ACCENT = new RegExp(`(?![${characterClass(MARKS_UNKNOWN_TO_TOKENIZERS)}])\\p{Mn}`, "gu");

/**
 * BERT's text clean-up, equal to Python's tokenizers (`normalizers/bert.rs`). The library's own differs: it misses
 * ideographs beyond U+FFFF, turns a final Σ into ς, and knows newer accents.
 */
export class ExactBertNormalizer extends BertNormalizer {
  override normalize(text: string): string {
    const { clean_text, handle_chinese_chars, lowercase, strip_accents } = this.config;
    if (PLAIN_ASCII.test(text)) return lowercase ? text.toLowerCase() : text;
    if (clean_text) text = text.replace(DROPPED, "").replace(WHITE_SPACE, " ");
    if (handle_chinese_chars) text = text.replace(IDEOGRAPH, " $& ");
    if (strip_accents ?? lowercase) text = text.normalize("NFD").replace(ACCENT, "");
    return lowercase ? lowercaseEachCharacter(text) : text;
  }
}

/** Σ is the one letter whose lower case depends on its neighbours in JavaScript; tokenizers maps each on its own. */
export function lowercaseEachCharacter(text: string): string {
  return text.includes("Σ") ? text.split("Σ").map((part) => part.toLowerCase()).join("σ") : text.toLowerCase();
}

const ASCII_PUNCTUATION = "!-\\/:-@\\[-`\\{-~";
const COMMON_WORDS = new RegExp(`[^\\p{White_Space}\\p{P}${ASCII_PUNCTUATION}]+|[\\p{P}${ASCII_PUNCTUATION}]`, "gu");

const onlyHere = characterClass(PUNCTUATION_UNKNOWN_TO_TOKENIZERS);
const onlyThere = characterClass(PUNCTUATION_ONLY_IN_TOKENIZERS);
const HAS_DISPUTED_PUNCTUATION = new RegExp(`[${onlyHere}${onlyThere}]`, "u");
const punctuation = `(?:(?![${onlyHere}])[\\p{P}${ASCII_PUNCTUATION}${onlyThere}])`;
const DISPUTED_WORDS = new RegExp(`(?:(?!${punctuation})[^\\p{White_Space}])+|${punctuation}`, "gu");

/** Words and single punctuation marks, equal to Python's tokenizers (`pre_tokenizers/bert.rs`). */
export class ExactBertPreTokenizer extends BertPreTokenizer {
  override pre_tokenize_text(text: string): string[] {
    // The exact pattern looks ahead at every character, which only texts with rare scripts have to pay for.
    return text.match(HAS_DISPUTED_PUNCTUATION.test(text) ? DISPUTED_WORDS : COMMON_WORDS) ?? [];
  }
}
