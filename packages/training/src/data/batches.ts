import { geometricBuckets, type TensorType, type HostTensor } from "@heddle/kernels";
import { textConfigOf, type Model } from "@heddle/transformer";
import { problemOf } from "../problem.ts";
import { collate, type Batch, type TokenDropout } from "./collate.ts";
import type { EncodedDataset, EncodedRow } from "./dataset.ts";

/** Where a batch stands, for a collator that wants to know. */
export interface BatchContext {
  /** Each row's place in the data set. */
  readonly rowNumbers: readonly number[];
  /** Rows that the tensors must have; missing ones are padding. */
  readonly batchSize: number;
  readonly training: boolean;
  readonly seed: number;
  readonly epoch: number;
}

/** Makes tensors of rows. It must depend on its arguments alone, or a resumed run is another run. */
export type DataCollator = (rows: readonly EncodedRow[], context: BatchContext) => Batch;

/** `collate` with the padding, lengths and labels of a model. Token dropout applies to training only. */
export function collatorFor(model: Model, datasets: readonly EncodedDataset[], tokenDropout?: TokenDropout): DataCollator {
  const { padTokenId = 0, maxPositionEmbeddings } = textConfigOf(model.config);
  const typeVocabSize = "typeVocabSize" in model.config ? model.config.typeVocabSize : 0;
  const options = {
    problem: problemOf(model),
    buckets: geometricBuckets(maxPositionEmbeddings),
    padTokenId,
    numLabels: model.config.numLabels,
    // Without types the model adds type 0 everywhere: the same numbers, one gather and one scatter less.
    tokenTypes: typeVocabSize > 0 && datasets.some((dataset) => dataset.some((row) => row.tokenTypeIds !== undefined)),
  };
  return (rows, { rowNumbers, batchSize, training, seed, epoch }) =>
    collate(rows, { ...options, batchSize, ...(training && tokenDropout && { tokenDropout: { ...tokenDropout, seed, epoch, rowNumbers } }) });
}

/** The types of a batch's tensors: what a plan is made for. */
export function batchTypes(batch: Batch): Record<string, TensorType> {
  const dtype = ({ data }: HostTensor) => (data instanceof Float32Array ? "f32" : data instanceof Int32Array ? "i32" : "u32");
  return Object.fromEntries(Object.entries(batch).map(([name, tensor]) => [name, { shape: tensor.shape, dtype: dtype(tensor) }]));
}

/** Tokens that are no padding. */
export function countTokens({ attentionMask }: Batch): number {
  let tokens = 0;
  for (const kept of attentionMask?.data ?? []) tokens += kept;
  return tokens;
}
