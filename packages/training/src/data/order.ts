import { deriveSeed, randomStream, shuffle } from "../random.ts";

export interface EpochOrderOptions {
  /** Tokens of each row. */
  lengths: readonly number[];
  batchSize: number;
  seed: number;
  epoch: number;
  groupByLength: boolean;
}

/** Batches in a mega-batch: within one, rows are sorted by length. The number that transformers' LengthGroupedSampler uses. */
const MEGA_BATCH = 50;

/**
 * The row numbers of every batch of an epoch, each row once: a pure function of its arguments, so that a resumed run
 * needs to know only the epoch and how many batches are done.
 *
 * With `groupByLength` the shuffled rows are sorted by length within mega-batches and the batches shuffled again, so
 * that a batch holds rows of similar length and short batches do not all come together. One batch may be smaller.
 */
export function epochOrder({ lengths, batchSize, seed, epoch, groupByLength }: EpochOrderOptions): number[][] {
  const rows = shuffle(Array.from(lengths, (_, row) => row), deriveSeed(seed, randomStream.order, epoch));
  if (!groupByLength) return chunk(rows, batchSize);
  const batches = chunk(rows, MEGA_BATCH * batchSize).flatMap((mega) => chunk(mega.sort((a, b) => lengths[b]! - lengths[a]!), batchSize));
  return shuffle(batches, deriveSeed(seed, randomStream.batches, epoch));
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
