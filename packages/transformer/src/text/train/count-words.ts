import type { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { HeddleError } from "@heddle/kernels";

/** How often to look at the clock. */
const TEXTS_BETWEEN_BREATHS = 64;

export interface WordCounts {
  readonly counts: ReadonlyMap<string, number>;
  readonly texts: number;
}

/** Counts words as `tokenizer` will cut them when it encodes: same normalizer, same pre-tokenizer. */
export async function countWords(
  texts: Iterable<string> | AsyncIterable<string>,
  tokenizer: LibraryTokenizer,
  breathe: () => Promise<void> | undefined,
  onText: (texts: number) => void,
): Promise<WordCounts> {
  const counts = new Map<string, number>();
  let seen = 0;
  for await (const text of texts) {
    if (typeof text !== "string") {
      throw new HeddleError("TOKENIZER_TRAINING_FAILED", `[tokenizer training] text ${seen} is ${text === null ? "null" : `a ${typeof text}`}, wanted a string: leave out rows without a text`);
    }
    const wellFormed = text.replace(/\p{Cs}/gu, "\ufffd");
    const normalized = tokenizer.normalizer?.normalize(wellFormed) ?? wellFormed;
    for (const word of tokenizer.pre_tokenizer?.pre_tokenize_text(normalized) ?? [normalized]) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    if (++seen % TEXTS_BETWEEN_BREATHS === 0) {
      onText(seen);
      await breathe();
    }
  }
  if (counts.size === 0) {
    throw new HeddleError("TOKENIZER_TRAINING_FAILED", `[tokenizer training] the ${seen} texts have no words: pass texts with letters, and check the name of the text column`);
  }
  return { counts, texts: seen };
}
