import { HeddleError } from "../errors.ts";

/**
 * The smallest bucket that holds `length`, so that a handful of plans serves every length. Throws INVALID_ARGUMENT past
 * the last bucket.
 *
 * @param buckets ascending
 */
export function roundUpToBucket(length: number, buckets: readonly number[]): number {
  const bucket = buckets.find((size) => size >= length);
  if (bucket === undefined) throw new HeddleError("INVALID_ARGUMENT", `[buckets] ${length} is more than the largest bucket, ${buckets.at(-1)}; cut it or add a bucket`);
  return bucket;
}

/** Ascending buckets up to `largest` whose steps grow with size: at most a quarter of a bucket is padding past the first few. */
export function geometricBuckets(largest: number, smallest = 8): number[] {
  const buckets: number[] = [];
  for (let size = smallest; size < largest; size += Math.max(smallest, 2 ** Math.floor(Math.log2(size / 3)))) buckets.push(size);
  return [...buckets, largest];
}
