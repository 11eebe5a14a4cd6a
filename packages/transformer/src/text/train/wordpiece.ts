import { createLibraryTokenizer } from "../library.ts";
import { Tokenizer } from "../tokenizer.ts";
import { createBreather } from "./breather.ts";
import { countWords } from "./count-words.ts";
import { checkVocabSize, DEFAULT_MIN_FREQUENCY, DEFAULT_MODEL_MAX_LENGTH, type TokenizerTrainingOptions } from "./options.ts";
import { learnMerges } from "./pair-merges.ts";
import { addedTokens, ENCODER_SPECIAL_TOKENS, encoderTemplate, encoderTokenizerConfig } from "./tokenizer-files.ts";

export interface WordPieceTrainingOptions extends TokenizerTrainingOptions {
  /** Default true; also strips accents, as uncased BERT does. */
  readonly lowercase?: boolean;
  /** Whether every Chinese character is a word of its own, as in BERT. Default true; false lets frequent words of several characters become one piece, which wants many texts. */
  readonly splitIdeographs?: boolean;
  /** Rarer characters become [UNK]. Default: half of the vocabulary's size. */
  readonly alphabetSize?: number;
}

const PREFIX = "##";
/** Longer words are [UNK] when encoded: nothing can be learned from them. */
const MAX_CHARACTERS_PER_WORD = 100;

/**
 * Trains a BERT tokenizer: BERT's clean-up and word split, and pieces joined by pair frequency, which is what Hugging
 * Face's `WordPieceTrainer` does (and not the likelihood of the WordPiece paper). Special tokens have the ids 0 to 4.
 * The same texts give the same tokenizer. Errors: `TOKENIZER_TRAINING_FAILED`, `INVALID_ARGUMENT`, `ABORTED`.
 */
export async function trainWordPiece(texts: Iterable<string> | AsyncIterable<string>, options: WordPieceTrainingOptions): Promise<Tokenizer> {
  const { vocabSize, lowercase = true, splitIdeographs = true, onProgress } = options;
  const json = (vocabulary: readonly string[]) => wordPieceJson(vocabulary, { lowercase, splitIdeographs });
  checkVocabSize(vocabSize, ENCODER_SPECIAL_TOKENS.length + 2);
  const breathe = createBreather("tokenizer training", options.signal);
  const untrained = createLibraryTokenizer(json([...ENCODER_SPECIAL_TOKENS]), {});
  const { counts } = await countWords(texts, untrained, breathe, (done) => onProgress?.({ phase: "counting", done, total: undefined }));
  const alphabetSize = options.alphabetSize ?? Math.ceil((vocabSize - ENCODER_SPECIAL_TOKENS.length) / 2);
  const { words, wordCounts, vocabulary } = spell(counts, alphabetSize, vocabSize);
  await learnMerges(
    {
      words,
      counts: wordCounts,
      vocabulary,
      vocabSize,
      minFrequency: options.minFrequency ?? DEFAULT_MIN_FREQUENCY,
      join: (left, right) => left + right.slice(PREFIX.length),
    },
    breathe,
    (done) => onProgress?.({ phase: "merging", done, total: vocabSize }),
  );
  return new Tokenizer(json(vocabulary), {
    ...encoderTokenizerConfig(options.modelMaxLength ?? DEFAULT_MODEL_MAX_LENGTH),
    do_lower_case: lowercase,
  });
}

/**
 * Words as characters, all but the first with "##". The vocabulary starts with the special tokens, then every
 * character of the alphabet as the start of a word (it may be one in a text to come), then those seen inside words.
 */
function spell(counts: ReadonlyMap<string, number>, alphabetSize: number, vocabSize: number): { words: number[][]; wordCounts: number[]; vocabulary: string[] } {
  const characterCounts = new Map<string, number>();
  const insideCounts = new Map<string, number>();
  const increase = (map: Map<string, number>, key: string, count: number): unknown => map.set(key, (map.get(key) ?? 0) + count);
  const usable = [...counts].map(([word, count]) => ({ characters: [...word], count })).filter(({ characters }) => characters.length <= MAX_CHARACTERS_PER_WORD);
  for (const { characters, count } of usable) {
    characters.forEach((character, i) => {
      increase(characterCounts, character, count);
      if (i > 0) increase(insideCounts, character, count);
    });
  }
  const room = vocabSize - ENCODER_SPECIAL_TOKENS.length;
  const alphabet = mostFrequent(characterCounts, Math.min(alphabetSize, room));
  const kept = new Set(alphabet);
  const inside = mostFrequent(new Map([...insideCounts].filter(([character]) => kept.has(character))), room - alphabet.length);
  const vocabulary = [...ENCODER_SPECIAL_TOKENS, ...alphabet, ...inside.map((character) => PREFIX + character)];
  const symbolOf = new Map(vocabulary.map((piece, symbol) => [piece, symbol]));
  const words: number[][] = [];
  const wordCounts: number[] = [];
  for (const { characters, count } of usable) {
    const symbols = characters.map((character, i) => symbolOf.get(i === 0 ? character : PREFIX + character));
    if (!symbols.every((symbol) => symbol !== undefined)) continue; // would be [UNK]
    words.push(symbols);
    wordCounts.push(count);
  }
  return { words, wordCounts, vocabulary };
}

/** The `limit` most frequent characters, in lexical order. */
function mostFrequent(counts: ReadonlyMap<string, number>, limit: number): string[] {
  return [...counts]
    .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    .slice(0, limit)
    .map(([character]) => character)
    .sort();
}

function wordPieceJson(vocabulary: readonly string[], { lowercase, splitIdeographs }: { lowercase: boolean; splitIdeographs: boolean }): Record<string, unknown> {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(ENCODER_SPECIAL_TOKENS),
    normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: splitIdeographs, strip_accents: null, lowercase },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: encoderTemplate(),
    decoder: { type: "WordPiece", prefix: PREFIX, cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: PREFIX,
      max_input_chars_per_word: MAX_CHARACTERS_PER_WORD,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    },
  };
}
