import { labelsOf } from "./labels.ts";
import type { LabelledText } from "./types.ts";

export interface HoldOutSplit {
  readonly trainRows: readonly LabelledText[];
  readonly evalRows: readonly LabelledText[];
}

const EVAL_SHARE = 0.1;
/** More rows would hardly make the estimate better, and training could use them. */
const MAX_EVAL_ROWS = 2000;

/**
 * Holds out a tenth of each label's rows, at least one where a label has two, chosen by the seed. Both parts keep the
 * rows' order.
 */
export function holdOut(rows: readonly LabelledText[], seed: number): HoldOutSplit {
  const share = Math.min(EVAL_SHARE, MAX_EVAL_ROWS / rows.length);
  const held = new Set<LabelledText>();
  for (const label of labelsOf(rows)) {
    const own = rows.filter((row) => String(row.label) === label);
    const count = own.length < 2 ? 0 : Math.max(1, Math.round(own.length * share));
    for (const place of sample(own.length, count, seed)) held.add(own[place]!);
  }
  return { trainRows: rows.filter((row) => !held.has(row)), evalRows: rows.filter((row) => held.has(row)) };
}

/** `count` of the numbers below `size`: the start of a Fisher–Yates shuffle by a 32-bit xorshift generator (Marsaglia 2003). */
function sample(size: number, count: number, seed: number): number[] {
  const numbers = Array.from({ length: size }, (_, i) => i);
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    const other = i + (state % (size - i));
    [numbers[i], numbers[other]] = [numbers[other]!, numbers[i]!];
  }
  return numbers.slice(0, count);
}
