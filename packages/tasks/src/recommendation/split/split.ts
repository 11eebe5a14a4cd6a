import type { Interactions } from "../interactions.ts";

/** What a recommender is asked, and what the user touched afterwards. */
export interface RankingQuery {
  /** Index into userIds. */
  readonly user: number;
  /** Indices into itemIds, oldest first; empty for a user who is new. */
  readonly history: Int32Array;
  /** Indices into itemIds, each once. */
  readonly targets: Int32Array;
  /** Of the first target, milliseconds since 1970. */
  readonly time?: number;
}

/** Histories to learn from, and questions about what came next. Users and items keep their numbers in all three. */
export interface Split {
  /** Users without an event here have an empty history. */
  readonly train: Interactions;
  /** For choosing settings. */
  readonly validation: readonly RankingQuery[];
  /** For the last word. */
  readonly test: readonly RankingQuery[];
}

/** An event of `interactions` as the answer to a query, with all before it as the history. */
export function queryAt({ histories, times }: Interactions, user: number, from: number, to: number): RankingQuery {
  const time = times?.[user]![from];
  return {
    user,
    history: histories[user]!.subarray(0, from),
    targets: Int32Array.from(new Set(histories[user]!.subarray(from, to))),
    ...(time !== undefined && { time }),
  };
}

/** The first `lengths[user]` events of each user. */
export function firstEvents({ userIds, itemIds, histories, times }: Interactions, lengths: Int32Array): Interactions {
  return {
    userIds,
    itemIds,
    histories: histories.map((history, user) => history.subarray(0, lengths[user])),
    ...(times && { times: times.map((own, user) => own.subarray(0, lengths[user])) }),
  };
}
