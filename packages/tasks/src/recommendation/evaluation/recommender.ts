/** Scores every item of the catalogue: what a baseline or a model has to do to be measured. */
export interface ItemScorer {
  readonly name: string;
  /**
   * [histories, items], a score for each item, the higher the better; -Infinity for an item that must not be recommended.
   * The caller may write into the result, and reads it before the next call.
   *
   * @param histories indices of items, oldest first; empty for a new user
   */
  scoreAll(histories: readonly Int32Array[]): Float32Array | Promise<Float32Array>;
}

/** One question to an `ItemRanker`. */
export interface RankRequest {
  readonly history: Int32Array;
  /** Items whose ranks are asked for; none of them is among `excluded`. */
  readonly targets: Int32Array;
  /** Items that are no candidates, each once. */
  readonly excluded: Int32Array;
}

export interface RankedTargets {
  /** For each request and its targets: the rank among all candidates, from 1. Of equal scores the lower item comes first. */
  readonly ranks: readonly Int32Array[];
  /** For each request: the best candidates, best first, at most `topK`. */
  readonly top: readonly Int32Array[];
}

/** Ranks where its scores are, so that they need not leave a GPU. */
export interface ItemRanker {
  readonly name: string;
  rankAll(requests: readonly RankRequest[], topK: number): RankedTargets | Promise<RankedTargets>;
}
