/** How a recommender that is being served keeps learning. */
export interface UpdateSettings {
  /** Accepted events that a round of learning waits for. Default 256. */
  readonly eventsPerRound?: number;
  /** How often a round goes over its new events. Default 2. */
  readonly numEpochs?: number;
  /** Default 0.0003. */
  readonly learningRate?: number;
  /** Histories in a step, new and old ones. Default 32. */
  readonly batchSize?: number;
  /** Old histories that are learnt again for each new one, so that nothing is forgotten. Default 3. */
  readonly replayRatio?: number;
  /** Items drawn for each step, which the sampled softmax sets against the one that came. Default 1024, or as many as the catalogue has. */
  readonly numNegatives?: number;
  /**
   * Share of users, chosen by their ids, from whom nothing is ever learnt: what they do next decides whether new weights may serve. The
   * last event of each should be one that the model was not trained on, as `fit` leaves them out. Default 0.1.
   */
  readonly guardShare?: number;
  /** At most so many events of these users are ranked, of earlier ones and of recent ones each. Default 1000. */
  readonly guardEvents?: number;
  /** A user with more events than this within 60 seconds is a bot. Needs times. Default 100. */
  readonly maxEventsPerMinute?: number;
  /**
   * An item that has a larger share of a round's events than this, and ten times its share of all earlier ones, is not learnt from.
   * Default 0.05; 1 turns it off, and with it the rule for newcomers who all did the same.
   */
  readonly maxItemShare?: number;
  /** Default 42. */
  readonly seed?: number;
}

export interface UpdateOptions {
  /**
   * "auto", the default: once `eventsPerRound` accepted events wait. "now": whatever waits, with this call's events or none.
   * "never": histories alone; the events wait for a later call.
   */
  readonly learn?: "auto" | "now" | "never";
  /** Stops learning between two steps; the served weights stay, the events are kept and wait. */
  readonly signal?: AbortSignal;
}

/**
 * Why events are kept out. "rate": a user with too many events in a minute; "duplicate": the same user, item and time again, or without
 * times the same item twice in a row. Nothing of these is kept. "item-surge": an item that suddenly is everywhere;
 * "identical-newcomers": many new users whose histories are the same. These stay in their users' histories and are never learnt from.
 */
export type RefusalReason = "rate" | "duplicate" | "item-surge" | "identical-newcomers";

export interface RefusedEvents {
  readonly reason: RefusalReason;
  readonly numEvents: number;
  /** Whose they are; at most ten are named. */
  readonly userIds: readonly string[];
  /** The items that are everywhere; at most ten are named. Empty for "rate". */
  readonly itemIds: readonly string[];
}

/** How well held-out events of users who are never learnt from are ranked. Null where there are too few. */
export interface GuardMeasures {
  /** NDCG@10 on the last known event of users, before they were updated. */
  readonly earlier: number | null;
  /** NDCG@10 on events that came with updates. */
  readonly recent: number | null;
}

export interface LearningReport {
  /** Whether the new weights serve now. */
  readonly accepted: boolean;
  /** Where not: what the guard saw. */
  readonly reason?: string;
  /** Events that were learnt, those that only open a history aside. */
  readonly numEvents: number;
  readonly numSteps: number;
  /** Of the served weights. */
  readonly before: GuardMeasures;
  /** Of the weights that were learnt, whether accepted or not. */
  readonly after: GuardMeasures;
  /** The item that entered the first ten of the most users with these weights, and the share of users that had and have it there. */
  readonly risen: { readonly itemId: string; readonly from: number; readonly to: number } | null;
  /** Number of the weights that serve after this round: 0 are those that the recommender was made with. */
  readonly generation: number;
  readonly seconds: number;
}

export interface UpdateReport {
  /** Events that histories have now. */
  readonly accepted: number;
  readonly refused: readonly RefusedEvents[];
  /** Accepted events that came with an earlier time than one that their user already had: put at the end, as they came. */
  readonly late: number;
  /** Users of whom nothing was known before. */
  readonly newUsers: number;
  /** Accepted events that wait to be learnt. */
  readonly waiting: number;
  /** Null where this call taught nothing. */
  readonly learning: LearningReport | null;
}

export interface RollbackReport {
  /** Number of the weights that serve now. */
  readonly generation: number;
  /** False where there were none to go back to: then nothing changed. */
  readonly changed: boolean;
}
