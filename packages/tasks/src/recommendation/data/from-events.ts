import { HeddleError } from "@heddle/kernels";
import { EventLogBuilder } from "./event-log.ts";
import { interactionsOf, type ReadInteractions } from "./read.ts";
import type { InteractionRules } from "./rules.ts";

/** Somebody touched something. */
export interface InteractionEvent {
  readonly userId: string;
  readonly itemId: string;
  /** Milliseconds since 1970, or a date; on all events or on none, where their order counts. */
  readonly time?: number | Date;
}

/**
 * Events that a program already holds, by the same rules as a file's. Errors: DATA_EMPTY; DATA_INVALID for an empty id, a time
 * that is no finite number, or times on some events only; INVALID_ARGUMENT.
 */
export function interactionsFromEvents(events: Iterable<InteractionEvent>, rules: InteractionRules = {}): ReadInteractions {
  const builder = new EventLogBuilder();
  const times: number[] = [];
  for (const { userId, itemId, time } of events) {
    const number = builder.numEvents + 1;
    if (userId === "" || itemId === "") throw new HeddleError("DATA_INVALID", `[events] event ${number} has an empty ${userId === "" ? "userId" : "itemId"}: leave it out, or give its id`);
    if (time !== undefined) times.push(Number(time));
    if (times.length > 0 && times.length < number) throw new HeddleError("DATA_INVALID", `[events] event ${number} ${time === undefined ? "has no time, those before it have one" : "has a time, those before it have none"}: give all of them a time, or none`);
    if (time !== undefined && !Number.isFinite(times.at(-1))) throw new HeddleError("DATA_INVALID", `[events] the time of event ${number} is ${String(time)}: give milliseconds since 1970 or a valid date`);
    builder.add(userId, itemId);
  }
  if (builder.numEvents === 0) throw new HeddleError("DATA_EMPTY", "[events] there are none: give at least one event with a userId and an itemId");
  return interactionsOf(builder.build(times.length > 0 ? Float64Array.from(times) : undefined), rules, {
    name: "events",
    numRows: builder.numEvents,
    problems: [],
    usersOnSeveralLines: 0,
    leftOut: { byEventType: 0, byRating: 0, byWeight: 0 },
  });
}
