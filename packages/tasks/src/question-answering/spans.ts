/** A stretch of tokens, both included. */
export interface TokenSpan {
  readonly first: number;
  readonly last: number;
  readonly score: number;
}

export interface SpanScores {
  readonly spans: readonly TokenSpan[];
  /** Probability that the first token, [CLS], is begin and end: that there is no answer. */
  readonly nullScore: number;
}

/** What tokens that cannot be in an answer have for a logit. */
const IMPOSSIBLE = -10_000;

/**
 * The likeliest stretches of a window (transformers' `select_starts_ends` and `decode_spans`): p(first) · p(last), each over the tokens
 * that an answer may have.
 *
 * @param allowed which tokens an answer may have
 * @param count how many are looked for among all; those outside of `allowed` are then dropped
 */
export function bestSpans(startLogits: ArrayLike<number>, endLogits: ArrayLike<number>, allowed: readonly boolean[], count: number, maxLength: number): SpanScores {
  const starts = probabilities(startLogits, allowed);
  const ends = probabilities(endLogits, allowed);
  const nullScore = starts[0]! * ends[0]!;
  starts[0] = ends[0] = 0;
  let best: TokenSpan[] = [];
  // Sorted once in a while, so that long windows take no sort for each stretch.
  const keep = () => (best = best.sort((a, b) => b.score - a.score || a.first - b.first || a.last - b.last).slice(0, count));
  for (let first = 0; first < starts.length; first++) {
    if (starts[first] === 0) continue;
    for (let last = first; last < Math.min(starts.length, first + maxLength); last++) {
      const score = Math.fround(starts[first]! * ends[last]!);
      if (best.length >= count && score <= best[count - 1]!.score) continue;
      best.push({ first, last, score });
      if (best.length === count || best.length === 2 * count) keep();
    }
  }
  return { spans: keep().filter(({ first, last }) => allowed[first] && allowed[last]), nullScore };
}

function probabilities(logits: ArrayLike<number>, allowed: readonly boolean[]): Float32Array {
  const masked = allowed.map((may, i) => (may ? logits[i]! : IMPOSSIBLE));
  const highest = Math.max(...masked);
  const powers = masked.map((logit) => Math.exp(logit - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return Float32Array.from(powers, (power) => power / sum);
}
