import type { ConfigOptions, BertConfig } from "@heddle/transformer";
import type { TrainingArguments } from "@heddle/training";

// Every number that `fit` chooses for the user is chosen here.

/** Characters of all texts; Chinese needs its thousands of characters in the vocabulary before any word. */
export function vocabSizeFor(numCharacters: number): number {
  if (numCharacters < 1_000_000) return 8192;
  return numCharacters < 4_000_000 ? 12_288 : 16_384;
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

/** A small BERT. */
export function scratchConfig({ vocabSize, maxLength, labels, padTokenId }: { vocabSize: number; maxLength: number; labels: readonly string[]; padTokenId: number }): ConfigOptions<BertConfig> {
  return {
    modelType: "bert",
    architectures: ["BertForSequenceClassification"],
    vocabSize,
    hiddenSize: 128,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    intermediateSize: 512,
    maxPositionEmbeddings: maxLength,
    hiddenDropoutProb: 0.1,
    attentionProbsDropoutProb: 0.1,
    padTokenId,
    labels,
    problemType: "single_label_classification",
  };
}

export interface DataSize {
  readonly numRows: number;
  readonly numTokens: number;
}

type Recipe = Partial<TrainingArguments> & Pick<TrainingArguments, "numTrainEpochs" | "perDeviceTrainBatchSize" | "learningRate">;

const common = { perDeviceEvalBatchSize: 32, lrSchedulerType: "linear", evalStrategy: "epoch", loadBestModelAtEnd: true, metricForBestModel: "accuracy", groupByLength: true, loggingSteps: 10 } as const;

/** Tokens that a model from scratch sees in all: small data come round more often. */
const SCRATCH_TOKENS = 5_000_000;

export function scratchRecipe({ numRows, numTokens }: DataSize): Recipe {
  return {
    ...common,
    numTrainEpochs: Math.min(12, Math.max(3, Math.round(SCRATCH_TOKENS / numTokens))),
    perDeviceTrainBatchSize: numRows < 20_000 ? 32 : 64,
    learningRate: 1e-3,
    warmupRatio: 0.1,
    weightDecay: 0.01,
  };
}

export function fineTuneRecipe({ numRows }: DataSize): Recipe {
  return {
    ...common,
    numTrainEpochs: numRows < 5_000 ? 3 : numRows < 50_000 ? 2 : 1,
    perDeviceTrainBatchSize: 32,
    learningRate: 5e-5,
    warmupRatio: 0.06,
    weightDecay: 0.01,
  };
}
