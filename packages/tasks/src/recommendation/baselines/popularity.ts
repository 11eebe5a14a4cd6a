import { countItems } from "../data/select-events.ts";
import type { ItemScorer } from "../evaluation/recommender.ts";
import type { Interactions } from "../interactions.ts";

/** What most events are about, the same for everybody. */
export function fitPopularity({ histories, itemIds }: Interactions): ItemScorer {
  return sameForAll("popularity", Float32Array.from(countItems(histories, itemIds.length)));
}

/** A scorer that looks at no history. */
export function sameForAll(name: string, scores: Float32Array): ItemScorer {
  return {
    name,
    scoreAll(histories) {
      const all = new Float32Array(histories.length * scores.length);
      histories.forEach((_, row) => all.set(scores, row * scores.length));
      return all;
    },
  };
}
