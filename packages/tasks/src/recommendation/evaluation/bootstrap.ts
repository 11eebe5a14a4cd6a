import { pcg3d } from "@heddle/kernels";

/** Bounds that hold the true mean with the confidence asked for. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  readonly seed?: number;
  /** Default 500. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly confidence?: number;
}

/**
 * Percentile intervals of means (Efron 1979): queries are drawn with replacement, as many as there are, again and again, and
 * the middle part of the means is what chance leaves. The same seed draws the same queries.
 *
 * @param values [queries, columns], row by row
 * @returns one interval a column
 */
export function bootstrapMeans(values: Float64Array, columns: number, { seed = 42, resamples = 500, confidence = 0.95 }: BootstrapOptions = {}): Interval[] {
  const numRows = values.length / columns;
  // Rows of zeros, most of a recommender's, add nothing when drawn.
  const isZero = Uint8Array.from({ length: numRows }, (_, row) => (values.subarray(row * columns, (row + 1) * columns).every((value) => value === 0) ? 1 : 0));
  const means = Array.from({ length: columns }, () => new Float64Array(resamples));
  const sums = new Float64Array(columns);
  for (let resample = 0; resample < resamples; resample++) {
    sums.fill(0);
    for (let drawn = 0; drawn < numRows; drawn += 3) {
      const bits = pcg3d(seed, resample, drawn);
      for (let i = 0; i < 3 && drawn + i < numRows; i++) {
        const row = Math.floor((bits[i]! / 2 ** 32) * numRows);
        if (isZero[row] === 1) continue;
        for (let column = 0; column < columns; column++) sums[column]! += values[row * columns + column]!;
      }
    }
    for (let column = 0; column < columns; column++) means[column]![resample] = sums[column]! / numRows;
  }
  return means.map((own) => {
    own.sort();
    const at = (share: number): number => own[Math.min(resamples - 1, Math.max(0, Math.round(share * (resamples - 1))))]!;
    return { low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) };
  });
}
