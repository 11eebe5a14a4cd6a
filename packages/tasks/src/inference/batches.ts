/** Few sizes, so that a handful of plans serves any number of texts. */
const BATCH_SIZES = [32, 8, 1];
/** Within a batch no text may be padded to more than twice its length, unless it is short anyway. */
const MAX_STRETCH = 2;
const SHORT_TOKENS = 16;

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
    const limit = MAX_STRETCH * Math.max(SHORT_TOKENS, lengths[order[begin]!]!);
    const beyond = order.findIndex((row, i) => i > begin && lengths[row]! > limit);
    const alike = (beyond < 0 ? order.length : beyond) - begin;
    // Up to four rows of padding, and no more than half, cost less than another run.
    const batchSize = sizes.find((size) => size <= alike + Math.min(4, size / 2)) ?? 1;
    const count = Math.min(alike, batchSize);
    batches.push({ rowNumbers: order.slice(begin, begin + count), batchSize });
    begin += count;
  }
  return batches;
}
