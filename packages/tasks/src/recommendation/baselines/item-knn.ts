import { HeddleError } from "@heddle/kernels";
import { buyersOf } from "../co-occurrence.ts";
import { distinctItems } from "../data/distinct-items.ts";
import { topItems } from "../evaluation/ranking.ts";
import type { ItemScorer } from "../evaluation/recommender.ts";
import type { Interactions } from "../interactions.ts";

export interface ItemKnnOptions {
  /** Neighbours kept of each item. Default 100. */
  readonly numNeighbors?: number;
}

/** Of a longer history the latest count: the work grows with the square, and of a crawler's nothing is learnt. */
const MAX_HISTORY = 500;

/**
 * Item-kNN (Sarwar et al. 2001; Deshpande & Karypis 2004): an item's score is the sum of its cosines with the items of the
 * history, over users, where it is among their nearest. Popularity, scaled below every cosine, ranks those that are not,
 * and answers a new user. Error: INVALID_ARGUMENT.
 */
export function fitItemKnn({ histories, itemIds }: Interactions, { numNeighbors = 100 }: ItemKnnOptions = {}): ItemScorer {
  if (!Number.isInteger(numNeighbors) || numNeighbors < 1) throw new HeddleError("INVALID_ARGUMENT", `[item-knn] numNeighbors is ${numNeighbors}: give a whole number above 0`);
  const numItems = itemIds.length;
  const latest = histories.map((history) => distinctItems(history.subarray(-MAX_HISTORY)));
  const { starts, users } = buyersOf(latest, numItems);
  const sizes = Float64Array.from({ length: numItems }, (_, item) => Math.sqrt(starts[item + 1]! - starts[item]!));
  const shared = new Int32Array(numItems);
  const similar = new Float32Array(numItems);
  const neighbors = Array.from({ length: numItems }, (_, item) => {
    shared.fill(0);
    for (let at = starts[item]!; at < starts[item + 1]!; at++) {
      const basket = latest[users[at]!]!;
      for (let i = 0; i < basket.length; i++) shared[basket[i]!]!++;
    }
    for (let other = 0; other < numItems; other++) similar[other] = shared[other] === 0 || other === item ? -Infinity : shared[other]! / (sizes[item]! * sizes[other]!);
    const items = topItems(similar, numNeighbors);
    return { items, cosines: Float32Array.from(items, (other) => similar[other]!) };
  });
  const most = sizes.reduce((largest, size) => Math.max(largest, size * size), 1);
  const leastCosine = 1 / most;
  const popularity = Float32Array.from(sizes, (size) => (0.5 * leastCosine * size * size) / most);
  return {
    name: "item-knn",
    scoreAll(queries) {
      const scores = new Float32Array(queries.length * numItems);
      queries.forEach((history, row) => {
        const own = scores.subarray(row * numItems, (row + 1) * numItems);
        own.set(popularity);
        for (const item of distinctItems(history)) {
          const { items, cosines } = neighbors[item]!;
          for (let at = 0; at < items.length; at++) own[items[at]!]! += cosines[at]!;
        }
      });
      return scores;
    },
  };
}
