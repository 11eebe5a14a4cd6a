import type { ConfigOptions, BertConfig } from "@heddle/transformer";
import type { TrainingArguments } from "@heddle/training";

// Every number that `fit` chooses for the user is chosen here.

/** What the texts look like, as far as choosing a tokenizer goes. */
export interface TextStatistics {
  readonly numTexts: number;
  readonly numCharacters: number;
  /** Share of characters that are Chinese. */
  readonly ideographShare: number;
}

const MANY_TEXTS = 4_000;

/** Many Chinese texts teach whole words, which halves their length in tokens; few teach characters only. */
export function tokenizerRecipe({ numTexts, numCharacters, ideographShare }: TextStatistics): { vocabSize: number; splitIdeographs: boolean } {
  const chinese = ideographShare > 0.3;
  const joins = chinese && numTexts >= MANY_TEXTS;
  return { vocabSize: joins || numCharacters >= 20_000_000 ? 16_384 : 8192, splitIdeographs: !joins };
}

/** Of the texts that a tokenizer sees; more would hardly change its vocabulary. */
export const MAX_TOKENIZER_CHARACTERS = 20_000_000;

export interface LengthLimits {
  readonly longest: number;
}

/** From scratch a learned position must be seen often; attention's cost grows with the square. */
export const SCRATCH_LIMITS: LengthLimits = { longest: 256 };
export const FINE_TUNE_LIMITS: LengthLimits = { longest: 128 };

/** Holds 98 of 100 texts whole, rounded up to a multiple of 8. */
export function maxLengthFor(lengths: readonly number[], { longest }: LengthLimits): number {
  const sorted = [...lengths].sort((a, b) => a - b);
  const percentile = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * 0.98) - 1)] ?? 0;
  return Math.min(longest, Math.max(16, Math.ceil(percentile / 8) * 8));
}

export interface DataSize {
  readonly numRows: number;
  /** Of all rows, as the model sees them. */
  readonly numTokens: number;
}

type Arguments = Partial<TrainingArguments> & Pick<TrainingArguments, "numTrainEpochs" | "perDeviceTrainBatchSize" | "learningRate">;

export interface ScratchRecipe {
  readonly arguments: Arguments;
  readonly numHiddenLayers: number;
  readonly dropout: number;
  readonly attentionDropout: number;
  /** Share of tokens that [MASK] replaces while training. */
  readonly maskTokenProbability: number;
}

const common = { perDeviceEvalBatchSize: 32, lrSchedulerType: "linear", warmupRatio: 0.1, loadBestModelAtEnd: true, metricForBestModel: "accuracy", groupByLength: true, loggingSteps: 10 } as const;

/** Tokens that a model from scratch sees in all: small data come round more often. Sentences are learnt by heart sooner. */
const SENTENCE_TOKENS = 2_000_000;
const LONG_TEXT_TOTAL_TOKENS = 3_000_000;
/** Tokens a row: below it are single sentences, above it whole reviews. */
const LONG_TEXT_TOKENS = 25;

/**
 * How a small encoder learns from nothing. Tried in PyTorch on SST-2 and ChnSentiCorp: single sentences want a low
 * learning rate and little noise; on whole reviews one layer does what two do, and masking a quarter of the tokens
 * keeps it from learning them by heart.
 */
export function scratchRecipe({ numRows, numTokens }: DataSize): ScratchRecipe {
  const epochs = (totalTokens: number) => Math.min(8, Math.max(2, Math.round(totalTokens / numTokens)));
  if (numRows >= MANY_TEXTS && numTokens / numRows >= LONG_TEXT_TOKENS) {
    return {
      arguments: { ...common, numTrainEpochs: epochs(LONG_TEXT_TOTAL_TOKENS), perDeviceTrainBatchSize: 32, learningRate: 1e-3, weightDecay: 0.1, labelSmoothingFactor: 0.1 },
      numHiddenLayers: 1,
      dropout: 0.2,
      attentionDropout: 0,
      maskTokenProbability: 0.25,
    };
  }
  return {
    arguments: { ...common, numTrainEpochs: epochs(SENTENCE_TOKENS), perDeviceTrainBatchSize: numRows < MANY_TEXTS ? 16 : 64, learningRate: 5e-4, weightDecay: 0.01 },
    numHiddenLayers: 2,
    dropout: 0.1,
    attentionDropout: 0.1,
    maskTokenProbability: 0,
  };
}

/** A small BERT. */
export function scratchConfig(
  { numHiddenLayers, dropout, attentionDropout }: ScratchRecipe,
  { vocabSize, maxLength, labels, padTokenId }: { vocabSize: number; maxLength: number; labels: readonly string[]; padTokenId: number },
): ConfigOptions<BertConfig> {
  return {
    modelType: "bert",
    architectures: ["BertForSequenceClassification"],
    vocabSize,
    hiddenSize: 128,
    numHiddenLayers,
    numAttentionHeads: 4,
    intermediateSize: 512,
    maxPositionEmbeddings: maxLength,
    hiddenDropoutProb: dropout,
    attentionProbsDropoutProb: attentionDropout,
    padTokenId,
    labels,
    problemType: "single_label_classification",
  };
}

export function fineTuneRecipe({ numRows }: DataSize): Arguments {
  return {
    ...common,
    numTrainEpochs: numRows < 5_000 ? 3 : numRows < 50_000 ? 2 : 1,
    perDeviceTrainBatchSize: 32,
    learningRate: 5e-5,
    warmupRatio: 0.06,
    weightDecay: 0.01,
  };
}

/** Large data are looked at several times an epoch, as the best moment may lie inside one. */
export function evaluationsPerEpoch(numRows: number): number {
  return numRows < 20_000 ? 1 : 4;
}
