import { HeddleError } from "@heddle/kernels";

export interface TokenizerTrainingProgress {
  readonly phase: "counting" | "merging";
  /** Texts read while counting, tokens in the vocabulary while merging. */
  readonly done: number;
  /** Undefined while counting: the number of texts may not be known. */
  readonly total: number | undefined;
}

export interface TokenizerTrainingOptions {
  /** Upper limit of the vocabulary, special tokens included; small corpora give fewer. */
  readonly vocabSize: number;
  /** Pairs that occur less often are not merged. Default 2. */
  readonly minFrequency?: number;
  /** Longest input of the model in tokens, for tokenizer_config.json. Default 512. */
  readonly modelMaxLength?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TokenizerTrainingProgress) => void;
}

export const DEFAULT_MIN_FREQUENCY = 2;
export const DEFAULT_MODEL_MAX_LENGTH = 512;

export function checkVocabSize(vocabSize: number, least: number): void {
  if (Number.isInteger(vocabSize) && vocabSize >= least) return;
  throw new HeddleError("INVALID_ARGUMENT", `[tokenizer training] vocabSize is ${vocabSize}: choose a whole number of at least ${least} (8000 suits most tasks)`);
}
