import { HeddleError } from "@heddle/kernels";
import type { Catalogue } from "../catalogue.ts";
import type { InteractionEvent } from "../data/from-events.ts";
import { parseTime } from "../data/times.ts";
import type { LiveHistories } from "./live-histories.ts";
import type { RefusalReason, RefusedEvents } from "./types.ts";

/** Of a bot's id in a report; the counts say how many there were. */
const MOST_NAMED = 10;
const MINUTE = 60_000;
/** Users whose latest times are kept, before those that are idle are forgotten. */
const MOST_PACED = 100_000;
/** Newcomers alike, or events of one item, below which nothing is suspected. */
const LEAST_ALIKE = 20;
const SURGE = 10;

/** An event whose item and time are known to be good. */
export interface CheckedEvent {
  readonly userId: string;
  readonly item: number;
  /** Milliseconds since 1970. */
  readonly time: number | undefined;
}

/**
 * All of a call's events, or none: in time order, those of one time in the order given.
 *
 * @throws INVALID_ARGUMENT for an unknown item, with its id; DATA_INVALID for an empty id, a time that is none or no milliseconds, or
 * times on some events only
 */
export function checkEvents(events: readonly InteractionEvent[], catalogue: Catalogue): CheckedEvent[] {
  const invalid = (what: string) => new HeddleError("DATA_INVALID", `[SequentialRecommender.update] ${what}. Nothing of this call was taken`);
  const checked = events.map(({ userId, itemId, time }, i): CheckedEvent => {
    for (const [name, id] of [["userId", userId], ["itemId", itemId]] as const) {
      if (typeof id !== "string" || id === "") throw invalid(`event ${i + 1} has ${id === "" ? "an empty" : "no"} ${name}: give its id as a text`);
    }
    if ((time === undefined) !== (events[0]!.time === undefined)) throw invalid(`event ${i + 1} has ${time === undefined ? "no time, the first one has one" : "a time, the first one has none"}: give all of them a time, or none`);
    if (time === undefined) return { userId, item: catalogue.numberOf(itemId), time };
    const number = Number(time);
    const parsed = Number.isFinite(number) ? parseTime(String(number)) : "is no time";
    if (typeof parsed === "string") throw invalid(`the time of event ${i + 1} is ${String(time)}: give milliseconds since 1970, or a valid date`);
    if (parsed.unit === "seconds") throw invalid(`the time of event ${i + 1} is ${number}, in seconds it seems: give milliseconds since 1970, 1000 times as much, for all events`);
    return { userId, item: catalogue.numberOf(itemId), time: number };
  });
  return checked.sort((a, b) => (a.time ?? 0) - (b.time ?? 0));
}

/** Collects what is refused, by reason. */
export class Refusals {
  private readonly found = new Map<RefusalReason, { numEvents: number; users: Set<string>; items: Set<string> }>();

  add(reason: RefusalReason, userId: string, itemId?: string): void {
    let own = this.found.get(reason);
    if (!own) this.found.set(reason, (own = { numEvents: 0, users: new Set(), items: new Set() }));
    own.numEvents++;
    if (own.users.size < MOST_NAMED) own.users.add(userId);
    if (itemId !== undefined && own.items.size < MOST_NAMED) own.items.add(itemId);
  }

  get report(): RefusedEvents[] {
    return [...this.found].map(([reason, { numEvents, users, items }]) => ({ reason, numEvents, userIds: [...users], itemIds: [...items] }));
  }
}

/** Who clicks faster than people do, over the calls. */
export class Pace {
  /** The times of the last minute, oldest first. */
  private readonly times = new Map<string, number[]>();
  private readonly bots = new Set<string>();

  constructor(private readonly maxEventsPerMinute: number) {}

  isBot(userId: string): boolean {
    return this.bots.has(userId);
  }

  /** @returns whether this event is one too many */
  exceeds({ userId, time }: CheckedEvent): boolean {
    if (time === undefined) return false;
    const own = this.times.get(userId) ?? [];
    while (own.length > 0 && own[0]! <= time - MINUTE) own.shift();
    own.push(time);
    this.times.delete(userId);
    this.times.set(userId, own);
    if (this.times.size > MOST_PACED) this.times.delete(this.times.keys().next().value!);
    if (own.length <= this.maxEventsPerMinute) return false;
    own.shift();
    this.bots.add(userId);
    return true;
  }
}

/** An accepted event that waits to be learnt. */
export interface WaitingEvent {
  readonly userId: string;
  readonly item: number;
  /** Its place in the user's history. */
  readonly place: number;
}

export interface Suspects {
  /** Items that suddenly are everywhere. */
  readonly items: ReadonlySet<number>;
  /** New users who are too many with one history. */
  readonly users: ReadonlySet<string>;
}

/**
 * What a round had better not learn from: an item with a large share of its events that had a small one before, and many new users
 * whose histories are the same.
 *
 * @param counts how often each item was touched before
 */
export function findSuspects(events: readonly WaitingEvent[], histories: LiveHistories, counts: readonly number[], maxItemShare: number): Suspects {
  const [items, users] = [new Set<number>(), new Set<string>()];
  if (maxItemShare >= 1) return { items, users };
  const total = counts.reduce((sum, count) => sum + count, counts.length);
  const fresh = new Map<number, number>();
  for (const { item } of events) fresh.set(item, (fresh.get(item) ?? 0) + 1);
  for (const [item, count] of fresh) {
    // One more of each item, as nothing is known of one that nobody touched.
    const usual = ((counts[item] ?? 0) + 1) / total;
    if (count >= LEAST_ALIKE && count / events.length > Math.max(maxItemShare, SURGE * usual)) items.add(item);
  }
  const alike = new Map<string, Set<string>>();
  const everyone = new Set(events.map(({ userId }) => userId));
  for (const userId of everyone) {
    if (histories.isKnown(userId)) continue;
    const key = histories.get(userId)!.join();
    let same = alike.get(key);
    if (!same) alike.set(key, (same = new Set()));
    same.add(userId);
  }
  for (const same of alike.values()) if (same.size >= LEAST_ALIKE && same.size / everyone.size > maxItemShare) for (const userId of same) users.add(userId);
  return { items, users };
}
