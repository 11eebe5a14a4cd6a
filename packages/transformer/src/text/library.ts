import { BertNormalizer, BertPreTokenizer, BPE, ByteLevelPreTokenizer, SequenceNormalizer, SequencePreTokenizer, Tokenizer as LibraryTokenizer, type Normalizer, type PreTokenizer } from "@huggingface/tokenizers";
import { HeddleError } from "@heddle/kernels";
import { ExactBertNormalizer, ExactBertPreTokenizer } from "./bert-text.ts";
import { checkTokenizerFiles } from "./files.ts";
import { speedUpLongWords } from "./long-words.ts";

/** GPT-2's split with Unicode's white space; JavaScript's `\s` has U+FEFF and lacks U+0085. */
const BYTE_LEVEL_WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/**
 * `@huggingface/tokenizers` with its parts replaced where they differ from Python's tokenizers, so that ids are equal.
 * Errors: `TOKENIZER_INVALID`.
 */
export function createLibraryTokenizer(tokenizerJson: Readonly<Record<string, unknown>>, tokenizerConfig: Readonly<Record<string, unknown>>): LibraryTokenizer {
  checkTokenizerFiles(tokenizerJson, tokenizerConfig);
  let tokenizer: LibraryTokenizer;
  try {
    tokenizer = new LibraryTokenizer(tokenizerJson, tokenizerConfig);
  } catch (cause) {
    throw new HeddleError("TOKENIZER_INVALID", `[tokenizer.json] could not be used (${cause instanceof Error ? cause.message : String(cause)}): export it with Python's tokenizers, or download it again`, { cause });
  }
  tokenizer.normalizer = exactNormalizer(tokenizer.normalizer);
  tokenizer.pre_tokenizer = exactPreTokenizer(tokenizer.pre_tokenizer);
  if (tokenizer.model instanceof BPE) speedUpLongWords(tokenizer.model);
  return tokenizer;
}

function exactNormalizer<T extends Normalizer | null>(normalizer: T): T | ExactBertNormalizer {
  if (normalizer instanceof BertNormalizer) return new ExactBertNormalizer(normalizer.config);
  if (normalizer instanceof SequenceNormalizer) normalizer.normalizers = normalizer.normalizers.map(exactNormalizer);
  return normalizer;
}

function exactPreTokenizer<T extends PreTokenizer | null>(preTokenizer: T): T | ExactBertPreTokenizer {
  if (preTokenizer instanceof BertPreTokenizer) return new ExactBertPreTokenizer();
  if (preTokenizer instanceof ByteLevelPreTokenizer) preTokenizer.pattern = BYTE_LEVEL_WORDS;
  if (preTokenizer instanceof SequencePreTokenizer) preTokenizer.tokenizers = preTokenizer.tokenizers.map(exactPreTokenizer);
  return preTokenizer;
}
