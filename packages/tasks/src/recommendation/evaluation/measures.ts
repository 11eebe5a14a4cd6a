export const MEASURES = ["hr", "ndcg", "mrr", "recall", "map"] as const;
export type MeasureName = (typeof MEASURES)[number];

/**
 * Measures of one list of `k` items against the items that the user then touched. With one target recall equals HR, and
 * MAP equals MRR.
 *
 * - hr: 1 where any target is in the list
 * - ndcg: Σ 1 / log2(rank + 1) over targets in the list, divided by its best value (Järvelin & Kekäläinen 2002)
 * - mrr: 1 / rank of the first target, 0 where it is beyond the list
 * - recall: targets in the list / targets
 * - map: average precision, Σ precision at each target in the list / min(targets, k)
 *
 * @param ranks of all targets, from 1, ascending
 * @returns in the order of MEASURES
 */
export function measuresAt(ranks: Int32Array, k: number): [number, number, number, number, number] {
  let [gain, best, precision, found] = [0, 0, 0, 0];
  for (let i = 0; i < ranks.length; i++) {
    if (i < k) best += 1 / Math.log2(i + 2);
    const rank = ranks[i]!;
    if (rank > k) continue;
    found++;
    gain += 1 / Math.log2(rank + 1);
    precision += found / rank;
  }
  if (found === 0) return [0, 0, 0, 0, 0];
  return [1, gain / best, 1 / ranks[0]!, found / ranks.length, precision / Math.min(ranks.length, k)];
}

/** "hr@5", "ndcg@5", … for each cutoff, in the order of MEASURES. */
export function measureKeys(cutoffs: readonly number[]): string[] {
  return cutoffs.flatMap((k) => MEASURES.map((name) => `${name}@${k}`));
}
