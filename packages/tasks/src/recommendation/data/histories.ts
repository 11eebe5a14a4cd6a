import type { Interactions } from "../interactions.ts";
import type { EventLog } from "./event-log.ts";
import { DEFAULT_MAX_EVENTS_PER_MINUTE, type InteractionRules } from "./rules.ts";
import { selectEvents } from "./select-events.ts";

export interface HistoryCounts {
  /** Events earlier than the event before them of the same user; sorted in. */
  readonly outOfOrder: number;
  readonly duplicates: number;
  /** Null without times, where no rate is known. */
  readonly bots: { readonly userIds: readonly string[]; readonly numEvents: number } | null;
}

/** A log as one history a user, in time order (events of one time in the file's), without duplicates and bots. */
export function historiesOf(log: EventLog, rules: InteractionRules): { interactions: Interactions; counts: HistoryCounts } {
  const { sorted, outOfOrder } = byUser(log);
  const { histories, times, userIds } = sorted;
  const isBot = times && times.map((own) => exceedsRate(own, rules.maxEventsPerMinute ?? DEFAULT_MAX_EVENTS_PER_MINUTE));
  const isDuplicate = histories.map((history, user) => duplicatesOf(history, times?.[user], rules.duplicates ?? (times ? "same-time" : "consecutive")));
  const bots = isBot && histories.flatMap((history, user) => (isBot[user] ? [{ userId: userIds[user]!, numEvents: history.length }] : []));
  return {
    interactions: selectEvents(sorted, (user, at) => !isBot?.[user] && isDuplicate[user]![at] === 0),
    counts: {
      outOfOrder,
      duplicates: isDuplicate.reduce((sum, marks, user) => sum + (isBot?.[user] ? 0 : marks.reduce((own, mark) => own + mark, 0)), 0),
      bots: bots ? { userIds: bots.map(({ userId }) => userId), numEvents: bots.reduce((sum, { numEvents }) => sum + numEvents, 0) } : null,
    },
  };
}

function byUser({ userIds, itemIds, users, items, times }: EventLog): { sorted: Interactions; outOfOrder: number } {
  const lengths = new Int32Array(userIds.length);
  for (const user of users) lengths[user]!++;
  const events = Array.from(lengths, (length) => new Int32Array(length));
  lengths.fill(0);
  users.forEach((user, event) => (events[user]![lengths[user]!++] = event));
  let outOfOrder = 0;
  if (times) {
    for (const own of events) {
      const before = outOfOrder;
      for (let at = 1; at < own.length; at++) if (times[own[at]!]! < times[own[at - 1]!]!) outOfOrder++;
      if (outOfOrder > before) own.sort((a, b) => times[a]! - times[b]! || a - b);
    }
  }
  return {
    sorted: {
      userIds,
      itemIds,
      histories: events.map((own) => own.map((event) => items[event]!)),
      ...(times && { times: events.map((own) => Float64Array.from(own, (event) => times[event]!)) }),
    },
    outOfOrder,
  };
}

function exceedsRate(times: Float64Array, perMinute: number): boolean {
  for (let at = perMinute; at < times.length; at++) if (times[at]! - times[at - perMinute]! < 60_000) return true;
  return false;
}

/** 1 at each event that repeats an earlier one. */
function duplicatesOf(history: Int32Array, times: Float64Array | undefined, rule: NonNullable<InteractionRules["duplicates"]>): Uint8Array {
  const marks = new Uint8Array(history.length);
  const seen = new Set<number>();
  history.forEach((item, at) => {
    if (rule === "same-time" && times?.[at] !== times?.[at - 1]) seen.clear();
    if (rule === "consecutive" && history[at - 1] !== item) seen.clear();
    if (rule !== "none" && seen.has(item)) marks[at] = 1;
    seen.add(item);
  });
  return marks;
}
