import { HeddleError } from "@heddle/kernels";

/** What is done to events before anything learns from them; each rule's effect is counted in the report. */
export interface InteractionRules {
  /**
   * Which events count as duplicates, of which the first stays. `same-time`: the user's, with the item, at one time;
   * `consecutive`: that repeat the item of the user's event before; `any`: every later event with an item that the user
   * has touched; `none`: nothing does. Default: `same-time`, and `consecutive` where there are no times.
   */
  readonly duplicates?: "same-time" | "consecutive" | "any" | "none";
  /** A user with more events than this within 60 seconds is a bot and dropped whole. Needs times. Default 1000. */
  readonly maxEventsPerMinute?: number;
  /** Both by k-core: dropped in turns until no user and no item has fewer. Default 1, which keeps all. */
  readonly minEventsPerUser?: number;
  readonly minEventsPerItem?: number;
}

export const DEFAULT_MAX_EVENTS_PER_MINUTE = 1000;

/** Error: INVALID_ARGUMENT. */
export function checkRules({ duplicates, maxEventsPerMinute = 1, minEventsPerUser = 1, minEventsPerItem = 1 }: InteractionRules, hasTimes: boolean): void {
  if (duplicates === "same-time" && !hasTimes) throw new HeddleError("INVALID_ARGUMENT", '[interactions] duplicates is "same-time" and the events have no times: choose "consecutive", "any" or "none", or give a time column');
  for (const [name, value] of Object.entries({ maxEventsPerMinute, minEventsPerUser, minEventsPerItem })) {
    if (!(value >= 1) || (!Number.isInteger(value) && value !== Infinity)) throw new HeddleError("INVALID_ARGUMENT", `[interactions] ${name} is ${value}: give a whole number of at least 1`);
  }
}
