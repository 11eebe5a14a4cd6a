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
  /** Rarer characters become [UNK]. Default: as many as leave half of the vocabulary to longer pieces. */
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
  const { vocabSize, lowercase = true, onProgress } = options;
  checkVocabSize(vocabSize, ENCODER_SPECIAL_TOKENS.length + 2);
  const breathe = createBreather("tokenizer training", options.signal);
  const untrained = createLibraryTokenizer(wordPieceJson([...ENCODER_SPECIAL_TOKENS], lowercase), {});
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
  return new Tokenizer(wordPieceJson(vocabulary, lowercase), {
    ...encoderTokenizerConfig(options.modelMaxLength ?? DEFAULT_MODEL_MAX_LENGTH),
    do_lower_case: lowercase,
  });
}

/** Words as characters, all but the first with "##", over a vocabulary of the special tokens and those characters. */
function spell(counts: ReadonlyMap<string, number>, alphabetSize: number, vocabSize: number): { words: number[][]; wordCounts: number[]; vocabulary: string[] } {
  const pieceCounts = new Map<string, number>();
  const spelled = [...counts].map(([word, count]) => ({ pieces: [...word].map((character, i) => (i === 0 ? character : PREFIX + character)), count }));
  const usable = spelled.filter(({ pieces }) => pieces.length <= MAX_CHARACTERS_PER_WORD);
  for (const { pieces, count } of usable) {
    for (const piece of pieces) pieceCounts.set(piece, (pieceCounts.get(piece) ?? 0) + count);
  }
  const kept = [...pieceCounts]
    .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    .slice(0, Math.min(alphabetSize, vocabSize - ENCODER_SPECIAL_TOKENS.length))
    .map(([piece]) => piece)
    .sort((a, b) => Number(a.startsWith(PREFIX) && a.length > 2) - Number(b.startsWith(PREFIX) && b.length > 2) || (a < b ? -1 : 1));
  const vocabulary = [...ENCODER_SPECIAL_TOKENS, ...kept];
  const symbolOf = new Map(vocabulary.map((piece, symbol) => [piece, symbol]));
  const words: number[][] = [];
  const wordCounts: number[] = [];
  for (const { pieces, count } of usable) {
    const symbols = pieces.map((piece) => symbolOf.get(piece));
    if (!symbols.every((symbol) => symbol !== undefined)) continue; // would be [UNK]
    words.push(symbols);
    wordCounts.push(count);
  }
  return { words, wordCounts, vocabulary };
}

function wordPieceJson(vocabulary: readonly string[], lowercase: boolean): Record<string, unknown> {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(ENCODER_SPECIAL_TOKENS),
    normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase },
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
