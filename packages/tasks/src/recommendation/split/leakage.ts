import type { RankingQuery, Split } from "./split.ts";

/** What training knows of the answers. */
export interface Leakage {
  /** Queries whose user's training events go beyond the query's history: a held-out event was trained on. Must be 0. */
  readonly heldOutInTraining: number;
  /** Validation queries whose answers are not in the test's history of the same user, though the test comes later. Must be 0. */
  readonly validationAfterTest: number;
  /**
   * Share of the test queries older than some event in training: with it a model has seen what the world did next. Above 0
   * for leave-one-out, 0 for a temporal split. Absent without times.
   */
  readonly trainedOnLaterEvents?: number;
}

/** Looks for held-out events in a split, ours or one made elsewhere. */
export function checkLeakage({ train, validation, test }: Split): Leakage {
  const isLeaked = ({ user, history }: RankingQuery): boolean => {
    const trained = train.histories[user]!;
    return trained.length > history.length || trained.some((item, at) => history[at] !== item);
  };
  const testHistories = new Map(test.map(({ user, history }) => [user, history]));
  const lastTrained = train.times?.reduce((last, own) => Math.max(last, own.at(-1) ?? -Infinity), -Infinity);
  return {
    heldOutInTraining: validation.filter(isLeaked).length + test.filter(isLeaked).length,
    validationAfterTest: validation.filter(({ user, history, targets }) => {
      const later = testHistories.get(user);
      return later !== undefined && !targets.every((target) => later.subarray(history.length).includes(target));
    }).length,
    ...(lastTrained !== undefined && test.length > 0 && { trainedOnLaterEvents: test.filter(({ time }) => time !== undefined && time < lastTrained).length / test.length }),
  };
}
