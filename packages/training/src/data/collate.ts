import { formatShape, HeddleError, roundUpToBucket, type HostTensor } from "@heddle/kernels";
import type { Problem } from "../problem.ts";
import { deriveSeed, randomBits, randomStream } from "../random.ts";
import { IGNORE_INDEX, type EncodedRow } from "./dataset.ts";

/** Named tensors of one batch: `inputIds`, `attentionMask`, `tokenTypeIds`, and `labels` or `startPositions` and `endPositions`. */
export type Batch = Readonly<Record<string, HostTensor>>;

/** Replaces tokens at random (word dropout: Iyyer et al. 2015, "Deep Unordered Composition", section 4): cheap augmentation for small data. */
export interface TokenDropout {
  /** Share of tokens to replace, in [0, 1). */
  readonly maskTokenProbability: number;
  /** What replaces them: the tokenizer's [MASK] or [UNK]. */
  readonly replacementId: number;
  /** Never replaced: [CLS], [SEP] and the like. */
  readonly specialTokenIds: readonly number[];
}

export interface CollateOptions {
  problem: Problem;
  /** Rows of the tensors; missing ones are padding that no loss sees. */
  batchSize: number;
  /** Ascending lengths; the smallest that holds the longest row is taken. */
  buckets: readonly number[];
  padTokenId: number;
  numLabels: number;
  /** Whether to make `tokenTypeIds`. */
  tokenTypes: boolean;
  /** Off without it. `rowNumbers[i]` is row i's place in the data set. */
  tokenDropout?: TokenDropout & { seed: number; epoch: number; rowNumbers: readonly number[] };
}

/**
 * Rows as padded tensors [batchSize, bucket]. Missing rows have attention mask 0 and ignored labels, so one plan serves
 * full and partial batches. Throws INVALID_ARGUMENT for a row too long, without a label, or with a label that does not fit.
 */
export function collate(rows: readonly EncodedRow[], options: CollateOptions): Batch {
  const { batchSize, buckets, padTokenId, tokenTypes, tokenDropout } = options;
  if (rows.length > batchSize) throw invalid(`${rows.length} rows do not fit a batch of ${batchSize}; pass fewer or raise batchSize`);
  const longest = rows.reduce((length, row) => Math.max(length, row.inputIds.length), 1);
  if (longest > buckets.at(-1)!) throw invalid(`a row has ${longest} tokens, the model takes at most ${buckets.at(-1)}; truncate it when encoding`);
  const length = roundUpToBucket(longest, buckets);
  const inputIds = new Int32Array(batchSize * length).fill(padTokenId);
  const attentionMask = new Int32Array(batchSize * length);
  const tokenTypeIds = new Int32Array(batchSize * length);
  rows.forEach((row, i) => {
    inputIds.set(row.inputIds, i * length);
    attentionMask.fill(1, i * length, i * length + row.inputIds.length);
    if (row.tokenTypeIds) tokenTypeIds.set(row.tokenTypeIds, i * length);
    if (tokenDropout) dropTokens(inputIds.subarray(i * length, i * length + row.inputIds.length), tokenDropout, tokenDropout.rowNumbers[i]!);
  });
  const shape = [batchSize, length];
  return {
    inputIds: { shape, data: inputIds },
    attentionMask: { shape, data: attentionMask },
    ...(tokenTypes && { tokenTypeIds: { shape, data: tokenTypeIds } }),
    ...collateLabels(rows, length, options),
  };
}

function dropTokens(ids: Int32Array, { maskTokenProbability, replacementId, specialTokenIds, seed, epoch }: NonNullable<CollateOptions["tokenDropout"]>, rowNumber: number): void {
  const rowSeed = deriveSeed(deriveSeed(seed, randomStream.tokens, epoch), randomStream.tokens, rowNumber);
  for (let i = 0; i < ids.length; i++) {
    if (randomBits(rowSeed, randomStream.tokens, i) < maskTokenProbability * 2 ** 32 && !specialTokenIds.includes(ids[i]!)) ids[i] = replacementId;
  }
}

function collateLabels(rows: readonly EncodedRow[], length: number, { problem, batchSize, numLabels }: CollateOptions): Batch {
  if (rows.every((row) => row.label === undefined)) return {};
  const numbers = (row: EncodedRow, count: number): readonly number[] => {
    const label = typeof row.label === "number" ? [row.label] : row.label;
    if (label === undefined) throw invalid("some rows have a label and some have none; give all rows one or drop those without");
    if (label.length !== count) throw invalid(`a label of ${problem} must be ${count} ${count === 1 ? "number" : "numbers"}, it has ${label.length}`);
    return label;
  };
  const classId = (value: number, classes: number): number => {
    if (value === IGNORE_INDEX || (Number.isInteger(value) && value >= 0 && value < classes)) return value;
    throw invalid(`label ${value} is not a class id of 0 … ${classes - 1}; the model has ${classes} labels`);
  };
  switch (problem) {
    case "single-label": {
      const labels = new Int32Array(batchSize).fill(IGNORE_INDEX);
      rows.forEach((row, i) => (labels[i] = classId(numbers(row, 1)[0]!, numLabels)));
      return { labels: { shape: [batchSize], data: labels } };
    }
    case "regression":
    case "multi-label": {
      const labels = new Float32Array(batchSize * numLabels);
      rows.forEach((row, i) => {
        const values = numbers(row, numLabels);
        if (!values.every(Number.isFinite)) throw invalid(`label ${formatShape(values)} is not finite; drop the row or repair it`);
        labels.set(values, i * numLabels);
      });
      return { labels: { shape: [batchSize, numLabels], data: labels } };
    }
    case "seq2seq-lm":
      throw invalid("pairs of texts are not put together here yet; give batches with decoderInputIds and labels to TrainStep");
    case "token-classification":
    case "causal-lm":
    case "next-item":
    case "masked-lm": {
      const labels = new Int32Array(batchSize * length).fill(IGNORE_INDEX);
      const classes = problem === "token-classification" ? numLabels : Infinity;
      rows.forEach((row, i) => labels.set(numbers(row, row.inputIds.length).map((value) => classId(value, classes)), i * length));
      return { labels: { shape: [batchSize, length], data: labels } };
    }
    case "question-answering": {
      const spans = [0, 1].map((end) => {
        const positions = new Int32Array(batchSize).fill(IGNORE_INDEX);
        rows.forEach((row, i) => (positions[i] = numbers(row, 2)[end]!));
        return { shape: [batchSize], data: positions };
      });
      return { startPositions: spans[0]!, endPositions: spans[1]! };
    }
  }
}

function invalid(message: string): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `[collate] ${message}`);
}
