import { createLibraryTokenizer } from "../library.ts";
import { Tokenizer } from "../tokenizer.ts";
import { createBreather } from "./breather.ts";
import { countWords } from "./count-words.ts";
import { checkVocabSize, DEFAULT_MIN_FREQUENCY, DEFAULT_MODEL_MAX_LENGTH, type TokenizerTrainingOptions } from "./options.ts";
import { learnMerges } from "./pair-merges.ts";
import { addedTokens, ENCODER_SPECIAL_TOKENS, encoderTemplate, encoderTokenizerConfig } from "./tokenizer-files.ts";

export interface ByteLevelBpeTrainingOptions extends TokenizerTrainingOptions {
  /** "encoder": BERT's special tokens and template; "decoder": `<|endoftext|>` alone, as GPT-2. Default "encoder". */
  readonly for?: "encoder" | "decoder";
}

const END_OF_TEXT = "<|endoftext|>";
/** A longer run without a space (a DNA string, base64) would dominate the time and teach nothing. */
const MAX_BYTES_PER_WORD = 400;

/**
 * Trains a byte-level BPE tokenizer (GPT-2's split): every text can be encoded, whatever its script, and nothing is
 * lower-cased. The same texts give the same tokenizer.
 * Errors: `TOKENIZER_TRAINING_FAILED`, `INVALID_ARGUMENT`, `ABORTED`.
 */
export async function trainByteLevelBpe(texts: Iterable<string> | AsyncIterable<string>, options: ByteLevelBpeTrainingOptions): Promise<Tokenizer> {
  const { vocabSize, onProgress } = options;
  const isEncoder = (options.for ?? "encoder") === "encoder";
  const special: readonly string[] = isEncoder ? ENCODER_SPECIAL_TOKENS : [END_OF_TEXT];
  const vocabulary = [...special, ...byteCharacters().sort()];
  checkVocabSize(vocabSize, vocabulary.length);
  const breathe = createBreather("tokenizer training", options.signal);
  const untrained = createLibraryTokenizer(byteLevelJson(vocabulary, [], special, isEncoder), {});
  const { counts } = await countWords(texts, untrained, breathe, (done) => onProgress?.({ phase: "counting", done, total: undefined }));
  const symbolOf = new Map(vocabulary.map((token, symbol) => [token, symbol]));
  const usable = [...counts].filter(([word]) => word.length <= MAX_BYTES_PER_WORD);
  const merges = await learnMerges(
    {
      words: usable.map(([word]) => Array.from(word, (byte) => symbolOf.get(byte)!)),
      counts: usable.map(([, count]) => count),
      vocabulary,
      vocabSize,
      minFrequency: options.minFrequency ?? DEFAULT_MIN_FREQUENCY,
      join: (left, right) => left + right,
    },
    breathe,
    (done) => onProgress?.({ phase: "merging", done, total: vocabSize }),
  );
  const modelMaxLength = options.modelMaxLength ?? DEFAULT_MODEL_MAX_LENGTH;
  return new Tokenizer(byteLevelJson(vocabulary, merges, special, isEncoder), isEncoder ? encoderTokenizerConfig(modelMaxLength) : decoderTokenizerConfig(modelMaxLength));
}

/** The character that stands for each byte: printable Latin-1 for itself, the others from U+0100 on (GPT-2's table). */
export function byteCharacters(): string[] {
  const isPrintable = (byte: number): boolean => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}

function byteLevelJson(vocabulary: readonly string[], merges: readonly (readonly [string, string])[], special: readonly string[], isEncoder: boolean): Record<string, unknown> {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(special),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: isEncoder ? encoderTemplate() : byteLevel,
    decoder: { ...byteLevel, add_prefix_space: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges,
    },
  };
}

function decoderTokenizerConfig(modelMaxLength: number): Record<string, unknown> {
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: modelMaxLength,
    model_input_names: ["input_ids", "attention_mask"],
    bos_token: END_OF_TEXT,
    eos_token: END_OF_TEXT,
    unk_token: END_OF_TEXT,
    clean_up_tokenization_spaces: false,
  };
}
