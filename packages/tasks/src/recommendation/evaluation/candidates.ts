import { pcg3d } from "@heddle/kernels";

/**
 * `count` items drawn evenly without replacement, none of `without`; all that there are where there are not that many. The
 * same for every recommender: seed and user decide.
 */
export function drawCandidates(numItems: number, count: number, without: readonly Int32Array[], seed: number, user: number): Int32Array {
  const taken = new Set<number>();
  for (const items of without) for (const item of items) taken.add(item);
  const free = numItems - taken.size;
  if (count * 2 >= free) {
    // Few are left over: shuffle them all (Fisher & Yates).
    const rest = Int32Array.from({ length: numItems }, (_, item) => item).filter((item) => !taken.has(item));
    for (let i = 0; i < Math.min(count, free); i++) {
      const j = i + uniform(free - i, seed, user, i);
      [rest[i], rest[j]] = [rest[j]!, rest[i]!];
    }
    return rest.subarray(0, count);
  }
  const drawn = new Int32Array(count);
  for (let found = 0, draw = 0; found < count; draw++) {
    const item = uniform(numItems, seed, user, draw);
    if (taken.has(item)) continue;
    taken.add(item);
    drawn[found++] = item;
  }
  return drawn;
}

/** A whole number below `limit`. */
function uniform(limit: number, seed: number, user: number, draw: number): number {
  return Math.floor((pcg3d(seed, user, draw)[2] / 2 ** 32) * limit);
}
