import { HeddleError } from "@heddle/kernels";

/**
 * Ranks of targets among all items but the excluded ones, from 1. Of equal scores the lower item, which is the one whose id
 * comes first, is ranked first: an order that no model can bend in its favour.
 *
 * @param scores [items]
 * @returns the ranks beside the targets, and whether any candidate has the score of a target
 * Error: VALUE_OUT_OF_RANGE for a score that is NaN.
 */
export function ranksOf(scores: Float32Array, targets: Int32Array, excluded: Int32Array, name: string): { ranks: Int32Array; isTied: boolean } {
  let isTied = false;
  const ranks = targets.map((target) => {
    const own = scores[target]!;
    let [above, equal] = [0, 0];
    for (let item = 0; item < scores.length; item++) {
      const score = scores[item]!;
      if (score > own) above++;
      else if (score === own) {
        equal++;
        if (item < target) above++;
      } else if (!(score < own)) throw notANumber(name, Number.isNaN(own) ? target : item);
    }
    for (const item of excluded) {
      const score = scores[item]!;
      if (score === own) equal--;
      if (score > own || (score === own && item < target)) above--;
    }
    if (equal > 1) isTied = true;
    return above + 1;
  });
  return { ranks, isTied };
}

/** As `ranksOf`, each target among itself and `candidates` alone. */
export function ranksAmong(scores: Float32Array, targets: Int32Array, candidates: Int32Array): Int32Array {
  return targets.map((target) => {
    const own = scores[target]!;
    let above = 0;
    for (const item of candidates) {
      const score = scores[item]!;
      if (score > own || (score === own && item < target)) above++;
    }
    return above + 1;
  });
}

/** The `count` items with the highest scores, best first, equal ones in their order; those at -Infinity never. */
export function topItems(scores: Float32Array, count: number): Int32Array {
  const items = new Int32Array(count);
  const best = new Float32Array(count);
  let found = 0;
  let least = -Infinity;
  for (let item = 0; item < scores.length; item++) {
    const score = scores[item]!;
    if (!(score > least)) continue;
    let at = found < count ? found++ : count - 1;
    for (; at > 0 && best[at - 1]! < score; at--) {
      best[at] = best[at - 1]!;
      items[at] = items[at - 1]!;
    }
    best[at] = score;
    items[at] = item;
    if (found === count) least = best[count - 1]!;
  }
  return items.subarray(0, found);
}

function notANumber(name: string, item: number): HeddleError {
  return new HeddleError("VALUE_OUT_OF_RANGE", `[${name}] the score of item number ${item} is NaN: a model that diverged cannot be ranked; train it anew with a lower learning rate`);
}
