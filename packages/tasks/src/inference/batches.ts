/** Few sizes, so that a handful of plans serves any number of texts. */
const BATCH_SIZES = [32, 8, 1];

export interface PlannedBatch {
  readonly rowNumbers: readonly number[];
  /** Rows of the tensors; missing ones are padding. */
  readonly batchSize: number;
}

/** Rows sorted by length, so that little is padding, in batches of 1, 8, 32 or, as the largest, `largest` rows. */
export function planBatches(lengths: readonly number[], largest = BATCH_SIZES[0]!): PlannedBatch[] {
  const sizes = [largest, ...BATCH_SIZES.filter((size) => size < largest)];
  const order = lengths.map((_, row) => row).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const batches: PlannedBatch[] = [];
  for (let begin = 0; begin < order.length; ) {
    const left = order.length - begin;
    // Two rows or more go into a part-filled 8 rather than one by one.
    const batchSize = sizes.find((size) => size <= left && (size > 1 || left === 1)) ?? sizes.findLast((size) => size >= left)!;
    batches.push({ rowNumbers: order.slice(begin, begin + batchSize), batchSize });
    begin += batchSize;
  }
  return batches;
}
