import { MEASURES, measureKeys, measuresAt, type MeasureName } from "./measures.ts";

export type MeasureKey = `${MeasureName}@${number}`;
export type Measures = Readonly<Record<MeasureKey, number>>;

/** Means over a part of the queries. */
export interface SegmentMeasures {
  readonly numQueries: number;
  readonly numTargets: number;
  /** Null where there is no query. */
  readonly measures: Measures | null;
}

/** Which queries, and which of their targets, a segment keeps. A query without a target left is none. */
export interface SegmentRule {
  readonly query?: (query: number) => boolean;
  readonly target?: (item: number) => boolean;
}

/**
 * Measures of the queries and targets that a rule keeps.
 *
 * @param targets for each query, items
 * @param ranks beside the targets, from 1
 * @returns the means, and the values they are of: [kept queries, measures in the order of `measureKeys`]
 */
export function segmentMeasures(targets: readonly Int32Array[], ranks: readonly Int32Array[], cutoffs: readonly number[], { query: keepsQuery = () => true, target: keepsTarget = () => true }: SegmentRule = {}): SegmentMeasures & { readonly perQuery: Float64Array } {
  const kept = ranks.flatMap((own, query) => {
    if (!keepsQuery(query)) return [];
    const chosen = own.filter((_, at) => keepsTarget(targets[query]![at]!)).sort();
    return chosen.length > 0 ? [chosen] : [];
  });
  const keys = measureKeys(cutoffs) as MeasureKey[];
  const perQuery = new Float64Array(kept.length * keys.length);
  kept.forEach((own, query) => cutoffs.forEach((k, at) => perQuery.set(measuresAt(own, k), query * keys.length + at * MEASURES.length)));
  const mean = (column: number): number => {
    let sum = 0;
    for (let at = column; at < perQuery.length; at += keys.length) sum += perQuery[at]!;
    return sum / kept.length;
  };
  return {
    numQueries: kept.length,
    numTargets: kept.reduce((sum, { length }) => sum + length, 0),
    measures: kept.length > 0 ? byKey(cutoffs, mean) : null,
    perQuery,
  };
}

/** A value for each measure. */
export function byKey<T>(cutoffs: readonly number[], value: (column: number) => T): Record<MeasureKey, T> {
  return Object.fromEntries(measureKeys(cutoffs).map((key, column) => [key, value(column)])) as Record<MeasureKey, T>;
}
