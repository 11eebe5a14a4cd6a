import { HeddleError } from "@heddle/kernels";
import type { ItemScorer } from "../evaluation/recommender.ts";
import type { Interactions } from "../interactions.ts";
import { sameForAll } from "./popularity.ts";

export interface RecencyOptions {
  /** Age at which an event counts half. Default: a tenth of the time between the first and the last event. */
  readonly halfLifeMs?: number;
}

/** Without times, an event's age is the number of events its user had after it; this many halve its weight. */
const HALF_LIFE_EVENTS = 5;

/**
 * What is popular now: popularity in which an event counts 2^(-age / half-life). Where there are no times, age is counted
 * in events from the end of each history. Error: INVALID_ARGUMENT.
 */
export function fitRecency({ histories, itemIds, times }: Interactions, options: RecencyOptions = {}): ItemScorer {
  const weights = new Float64Array(itemIds.length);
  if (times) {
    const [first, last] = [times.reduce((least, own) => Math.min(least, own[0] ?? Infinity), Infinity), times.reduce((most, own) => Math.max(most, own.at(-1) ?? -Infinity), -Infinity)];
    const halfLifeMs = options.halfLifeMs ?? Math.max(1, (last - first) / 10);
    if (!(halfLifeMs > 0)) throw new HeddleError("INVALID_ARGUMENT", `[recency] halfLifeMs is ${halfLifeMs}: give milliseconds above 0`);
    histories.forEach((history, user) => history.forEach((item, at) => (weights[item]! += 2 ** ((times[user]![at]! - last) / halfLifeMs))));
  } else {
    for (const history of histories) history.forEach((item, at) => (weights[item]! += 2 ** ((at + 1 - history.length) / HALF_LIFE_EVENTS)));
  }
  return sameForAll("recency", Float32Array.from(weights));
}
