import { countItems } from "../data/select-events.ts";
import type { ItemScorer } from "../evaluation/recommender.ts";
import type { Interactions } from "../interactions.ts";

/** Transitions seen are worth this many that are drawn by popularity. */
const PRIOR = 1;

/**
 * First-order Markov chain: the probability of an item after the last one, (n(last, item) + a p(item)) / (n(last) + a) with
 * p by popularity and a = 1 (Dirichlet prior, MacKay & Peto 1995). A new user, or one whose last item was never followed by
 * another, gets popularity.
 */
export function fitMarkov({ histories, itemIds }: Interactions): ItemScorer {
  const numItems = itemIds.length;
  const counts = countItems(histories, numItems);
  const numEvents = counts.reduce((sum, count) => sum + count, 0);
  const popularity = Float32Array.from(counts, (count) => count / numEvents);
  // As a row of pairs (item, next) in the order of items: starts[item] … starts[item + 1].
  const starts = new Int32Array(numItems + 1);
  for (const history of histories) for (let at = 1; at < history.length; at++) starts[history[at - 1]! + 1]!++;
  for (let item = 0; item < numItems; item++) starts[item + 1]! += starts[item]!;
  const followers = new Int32Array(starts[numItems]!);
  const next = starts.slice(0, numItems);
  for (const history of histories) for (let at = 1; at < history.length; at++) followers[next[history[at - 1]!]!++] = history[at]!;
  return {
    name: "markov",
    scoreAll(queries) {
      const scores = new Float32Array(queries.length * numItems);
      queries.forEach((history, row) => {
        const own = scores.subarray(row * numItems, (row + 1) * numItems);
        const last = history.at(-1);
        const [begin, end] = last === undefined ? [0, 0] : [starts[last]!, starts[last + 1]!];
        const total = end - begin + PRIOR;
        for (let item = 0; item < numItems; item++) own[item] = (PRIOR * popularity[item]!) / total;
        for (let at = begin; at < end; at++) own[followers[at]!]! += 1 / total;
      });
      return scores;
    },
  };
}
