import { distinctItems } from "./data/distinct-items.ts";
import { measuresAt } from "./evaluation/measures.ts";
import type { RankRequest } from "./evaluation/recommender.ts";
import type { Interactions } from "./interactions.ts";
import { beforeLast, MIN_EVENTS } from "./split/leave-one-out.ts";
import type { HeldOutEvent } from "./types.ts";

/** Enough to tell epochs apart. */
const MAX_VALIDATION = 10_000;
const CUTOFF = 10;

/** Means of HR and NDCG at 10 over held-out events of one target each. */
export function measure(ranks: readonly Int32Array[]): { hitRate: number; ndcg: number } {
  let [hits, gain] = [0, 0];
  for (const own of ranks) {
    const [hitRate, ndcg] = measuresAt(own, CUTOFF);
    hits += hitRate;
    gain += ndcg;
  }
  return { hitRate: hits / ranks.length, ndcg: gain / ranks.length };
}

/** What was touched before is no candidate, but where it is touched again. */
export function requestOf({ history, target }: HeldOutEvent): RankRequest {
  return { history, targets: Int32Array.of(target), excluded: distinctItems(history).filter((item) => item !== target) };
}

/** Each user's last event, of those with three at least, where nobody has chosen what to validate on. */
export function holdOut(interactions: Interactions, given: readonly HeldOutEvent[] | undefined): { histories: readonly Int32Array[]; validation: readonly HeldOutEvent[] } {
  const { histories } = interactions;
  if (given) return { histories, validation: given };
  const long = histories.filter(({ length }) => length >= MIN_EVENTS);
  const every = Math.max(1, long.length / MAX_VALIDATION);
  const validation = Array.from({ length: Math.floor(long.length / every) }, (_, i) => long[Math.floor(i * every)]!).map((history) => ({ history: history.subarray(0, -1), target: history.at(-1)! }));
  return { histories: beforeLast(interactions).histories, validation };
}
