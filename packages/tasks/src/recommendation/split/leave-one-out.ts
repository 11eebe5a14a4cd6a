import { HeddleError } from "@heddle/kernels";
import type { Interactions } from "../interactions.ts";
import { firstEvents, queryAt, type Split } from "./split.ts";

/** With fewer events a user has nothing left to learn from. */
export const MIN_EVENTS = 3;

/**
 * Each user's last event for testing, the last but one for validation, the rest for training; users with fewer than three
 * events are in training alone. The split of most papers on sequential recommendation (SASRec, Kang & McAuley 2018).
 * Training then holds other users' events that are later than a held-out one, which no shop can have: `checkLeakage` says
 * in how many cases. Error: DATA_INVALID where no user has three events.
 */
export function leaveOneOut(interactions: Interactions): Split {
  const { histories } = interactions;
  const long = histories.flatMap(({ length }, user) => (length >= MIN_EVENTS ? [user] : []));
  if (long.length === 0) throw new HeddleError("DATA_INVALID", `[leaveOneOut] none of ${histories.length} users has ${MIN_EVENTS} events (one to learn from, one for validation, one for the test): give more events a user`);
  const held = (user: number, fromEnd: number) => queryAt(interactions, user, histories[user]!.length - fromEnd, histories[user]!.length - fromEnd + 1);
  return {
    train: firstEvents(interactions, Int32Array.from(histories, ({ length }) => (length >= MIN_EVENTS ? length - 2 : length))),
    validation: long.map((user) => held(user, 2)),
    test: long.map((user) => held(user, 1)),
  };
}

/** All that comes before what `leaveOneOut` tests on, its validation with it: what a model that is tested may learn. */
export function beforeLast(interactions: Interactions): Interactions {
  return firstEvents(interactions, Int32Array.from(interactions.histories, ({ length }) => (length >= MIN_EVENTS ? length - 1 : length)));
}
