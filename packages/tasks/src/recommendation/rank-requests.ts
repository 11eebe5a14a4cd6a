import { HeddleError } from "@heddle/kernels";
import { throwIfAborted } from "../inference/encode.ts";
import type { Catalogue } from "./catalogue.ts";
import { ranksOf, topItems } from "./evaluation/ranking.ts";
import type { RankedTargets, RankRequest } from "./evaluation/recommender.ts";
import type { Scorer } from "./scorer.ts";

/** The row of the model's table of an item: row 0 is padding's. */
export const rowOf = (item: number): number => item + 1;

interface RankContext {
  readonly name: string;
  readonly scorer: Scorer;
  readonly catalogue: Catalogue;
  /** Rows of the table that are no item. */
  readonly rowsOutside: readonly number[];
  readonly topK: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Ranks by a model's scores, and by what is popular where a history is empty.
 *
 * Errors: INVALID_ARGUMENT for a number that no item has, or an empty history where nobody knows what is popular; VALUE_OUT_OF_RANGE; ABORTED.
 */
export async function rankRequests(requests: readonly RankRequest[], { name, scorer, catalogue, rowsOutside, topK, signal }: RankContext): Promise<RankedTargets> {
  const ranks: Int32Array[] = [];
  const top: Int32Array[] = [];
  for (const request of requests) check(request, name, catalogue);
  const known: number[] = [];
  for (const [i, { history, targets, excluded }] of requests.entries()) {
    if (history.length > 0) {
      known.push(i);
      continue;
    }
    if (!catalogue.counts) throw new HeddleError("INVALID_ARGUMENT", `[${name}] the history of request ${i} is empty, and this model was saved without what is popular: leave out users without one, or pass interactions to fromPretrained`);
    const scores = Float32Array.from(catalogue.counts);
    ranks[i] = ranksOf(scores, targets, excluded, name).ranks;
    for (const item of excluded) scores[item] = -Infinity;
    top[i] = topItems(scores, topK);
  }
  for (let begin = 0; begin < known.length; begin += scorer.usersAtOnce) {
    throwIfAborted(signal, name);
    const batch = known.slice(begin, begin + scorer.usersAtOnce);
    const rows = batch.map((i) => {
      const { history, targets, excluded } = requests[i]!;
      return { history: history.map(rowOf), targets: targets.map(rowOf), excluded: Int32Array.from([...rowsOutside, ...excluded.map(rowOf)]) };
    });
    for (const [n, ranked] of (await scorer.rank(rows, topK)).entries()) {
      ranks[batch[n]!] = ranked.ranks;
      top[batch[n]!] = ranked.top.map((row) => row - 1);
    }
  }
  return { ranks, top };
}

function check({ history, targets, excluded }: RankRequest, name: string, { size }: Catalogue): void {
  for (const items of [history, targets, excluded]) {
    const foreign = items.find((item) => item < 0 || item >= size);
    if (foreign !== undefined) throw new HeddleError("INVALID_ARGUMENT", `[${name}] there is no item number ${foreign}; the ${size} items are numbered from 0, by the order of itemIds: bring interactions to it with alignInteractions`);
  }
}
