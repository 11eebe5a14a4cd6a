import { HeddleError } from "@heddle/kernels";
import type { Interactions } from "../interactions.ts";
import { firstEvents, queryAt, type RankingQuery, type Split } from "./split.ts";

export interface TemporalSplitOptions {
  /** Share of the events, the latest ones. Default 0.1 each. */
  readonly validationShare?: number;
  readonly testShare?: number;
  /** Instead of shares: the first moment of validation and of the test, milliseconds since 1970. */
  readonly validationFrom?: number;
  readonly testFrom?: number;
}

/**
 * One moment for all users: training before it, validation after it, the test after a second one. A query holds all that
 * its user touched in a period, with all before the period as the history (empty for users who are new then). Events of the
 * very moment fall into the later period. Nothing in training is later than anything held out, as in a shop that is live.
 * Errors: DATA_INVALID without times, or where a period is empty; INVALID_ARGUMENT.
 */
export function temporalSplit(interactions: Interactions, options: TemporalSplitOptions = {}): Split {
  const { histories, times } = interactions;
  if (!times) throw new HeddleError("DATA_INVALID", "[temporalSplit] the interactions have no times: give a time column, or use leaveOneOut, which needs only an order");
  const { validationFrom, testFrom } = moments(times, options);
  const before = (moment: number): Int32Array => Int32Array.from(times, (own) => countBefore(own, moment));
  const [trained, seen] = [before(validationFrom), before(testFrom)];
  const period = (from: Int32Array, to: (user: number) => number): RankingQuery[] =>
    histories.flatMap((_, user) => (to(user) > from[user]! ? [queryAt(interactions, user, from[user]!, to(user))] : []));
  const split = { train: firstEvents(interactions, trained), validation: period(trained, (user) => seen[user]!), test: period(seen, (user) => histories[user]!.length) };
  const empty = split.validation.length === 0 ? "validation" : split.test.length === 0 ? "test" : trained.every((count) => count === 0) ? "training" : null;
  if (empty !== null) {
    const span = times.reduce(([first, last], own) => [Math.min(first, own[0] ?? Infinity), Math.max(last, own.at(-1) ?? -Infinity)] as const, [Infinity, -Infinity] as readonly [number, number]);
    throw new HeddleError("DATA_INVALID", `[temporalSplit] no event falls into the ${empty} period (validation from ${asDate(validationFrom)}, test from ${asDate(testFrom)}; events from ${asDate(span[0])} to ${asDate(span[1])}): choose other moments or shares`);
  }
  return split;
}

function moments(times: readonly Float64Array[], { validationShare = 0.1, testShare = 0.1, validationFrom, testFrom }: TemporalSplitOptions): { validationFrom: number; testFrom: number } {
  if (validationFrom !== undefined || testFrom !== undefined) {
    if (validationFrom === undefined || testFrom === undefined || !(validationFrom < testFrom)) throw new HeddleError("INVALID_ARGUMENT", `[temporalSplit] validationFrom is ${validationFrom} and testFrom is ${testFrom}: give both in milliseconds since 1970, the first below the second`);
    return { validationFrom, testFrom };
  }
  if (!(validationShare > 0) || !(testShare > 0) || !(validationShare + testShare < 1)) throw new HeddleError("INVALID_ARGUMENT", `[temporalSplit] validationShare is ${validationShare} and testShare is ${testShare}: give shares above 0 that leave some events for training`);
  const all = new Float64Array(times.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const own of times) {
    all.set(own, offset);
    offset += own.length;
  }
  all.sort();
  const at = (share: number): number => all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? Number.NaN;
  return { validationFrom: at(1 - validationShare - testShare), testFrom: at(1 - testShare) };
}

function countBefore(times: Float64Array, moment: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < moment) low = middle + 1;
    else high = middle;
  }
  return low;
}

function asDate(time: number): string {
  return Number.isFinite(time) ? new Date(time).toISOString() : "nowhere";
}
