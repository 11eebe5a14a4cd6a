/** An item and its score. */
type Scored = readonly [item: number, score: number];

/**
 * Maximal marginal relevance (Carbonell & Goldstein 1998, "The Use of MMR"): one by one the item with the largest
 * (1 - diversity) · relevance - diversity · (largest cosine with an item already chosen). Relevance is the score between the worst
 * candidate's, 0, and the best one's, 1, so that it is weighed on the scale of cosines. Of equal ones the candidate that stands first.
 *
 * @param candidates best first
 * @param embeddings f32 [candidates, size]
 * @param diversity from 0, the candidates' own order, to 1, where only the first is chosen for its score
 */
export function diversify(candidates: readonly Scored[], embeddings: Float32Array, count: number, diversity: number): Scored[] {
  const [highest, lowest] = [candidates[0]?.[1] ?? 0, candidates.at(-1)?.[1] ?? 0];
  const span = highest - lowest || 1;
  const directions = unitRows(embeddings, candidates.length);
  const nearest = new Float64Array(candidates.length);
  const left = new Set(candidates.keys());
  const chosen: Scored[] = [];
  while (chosen.length < count && left.size > 0) {
    let [best, most] = [left.values().next().value!, -Infinity];
    for (const i of left) {
      const worth = ((1 - diversity) * (candidates[i]![1] - lowest)) / span - diversity * nearest[i]!;
      if (worth > most) [best, most] = [i, worth];
    }
    left.delete(best);
    for (const i of left) {
      const likeness = dot(directions[i]!, directions[best]!);
      nearest[i] = chosen.length === 0 ? likeness : Math.max(nearest[i]!, likeness);
    }
    chosen.push(candidates[best]!);
  }
  return chosen;
}

/** Rows of length 1; a row of zeros stays one, like nothing. */
function unitRows(embeddings: Float32Array, count: number): Float64Array[] {
  const size = embeddings.length / Math.max(1, count);
  return Array.from({ length: count }, (_, i) => {
    const row = Float64Array.from(embeddings.subarray(i * size, (i + 1) * size));
    const length = Math.sqrt(dot(row, row)) || 1;
    return row.map((value) => value / length);
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
