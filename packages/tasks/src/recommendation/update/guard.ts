import type { RankedTargets, RankRequest } from "../evaluation/recommender.ts";
import { measure, requestOf } from "../held-out.ts";
import type { HeldOutEvent } from "../types.ts";
import type { GuardMeasures } from "./types.ts";
import { isWatched } from "./watched.ts";

/** Fewer events say nothing about an NDCG. */
const LEAST_EVENTS = 10;
const TOP_K = 10;
/** Share of users whose lists one item may newly enter in a round, where there are users enough to tell it from chance. */
const MAX_RISE = 0.05;

/** How one model ranks what the guard holds back. */
export type RankHeldOut = (requests: readonly RankRequest[], topK: number) => Promise<RankedTargets>;

export interface GuardView {
  readonly measures: GuardMeasures;
  /** By item: the share of the earlier events' users whose ten best items have it. */
  readonly shares: ReadonlyMap<number, number>;
  readonly numEarlier: number;
  readonly numRecent: number;
}

/**
 * Users from whom nothing is learnt, chosen by their ids, so that whoever starts the recommender anew keeps the same ones. Their
 * events decide whether weights may serve.
 */
export class Guard {
  private readonly earlier: readonly HeldOutEvent[];
  private readonly recent: HeldOutEvent[] = [];

  constructor(
    known: ReadonlyMap<string, Int32Array>,
    private readonly options: { readonly guardShare: number; readonly guardEvents: number; readonly maxLength: number; readonly seed: number },
  ) {
    const { guardEvents } = options;
    const own = [...known].filter(([userId, { length }]) => length >= 2 && this.watches(userId));
    const step = Math.max(1, own.length / guardEvents);
    this.earlier = Array.from({ length: Math.min(own.length, guardEvents) }, (_, i) => own[Math.floor(i * step)]![1]).map((history) => ({ history: history.subarray(0, -1), target: history.at(-1)! }));
  }

  /** Whether a user is one of those from whom nothing is learnt. */
  watches(userId: string): boolean {
    return isWatched(userId, this.options);
  }

  /** Whether there are events enough to judge by. */
  get isReady(): boolean {
    return this.earlier.length >= LEAST_EVENTS || this.recent.length >= LEAST_EVENTS;
  }

  /** An event of one of these users, with what came before it. */
  add(history: Int32Array, target: number): void {
    if (history.length === 0) return;
    this.recent.push({ history: history.slice(-this.options.maxLength), target });
    if (this.recent.length > this.options.guardEvents) this.recent.shift();
  }

  /** @param skipped items that recent events are not measured on */
  async view(rank: RankHeldOut, skipped: ReadonlySet<number>): Promise<GuardView> {
    const [earlier, recent] = [this.earlier, this.recent.filter(({ target }) => !skipped.has(target))];
    const ndcg = async (events: readonly HeldOutEvent[], topK: number) => {
      if (events.length < LEAST_EVENTS) return { value: null, top: [] };
      const { ranks, top } = await rank(events.map(requestOf), topK);
      return { value: measure(ranks).ndcg, top };
    };
    const before = await ndcg(earlier, TOP_K);
    const counts = new Map<number, number>();
    for (const list of before.top) for (const item of list) counts.set(item, (counts.get(item) ?? 0) + 1 / before.top.length);
    const now = await ndcg(recent, 0);
    return { measures: { earlier: before.value, recent: now.value }, shares: counts, numEarlier: before.value === null ? 0 : earlier.length, numRecent: now.value === null ? 0 : recent.length };
  }

  /**
   * Why weights may not serve, or null where they may: NDCG@10 is no lower than that of the served ones, neither on earlier events nor on
   * these and recent ones together, and no item has entered the lists of many more users, as one does that bots have pushed. Recent
   * events alone decide nothing where there are earlier ones: they are few, and the very ones that bots would make.
   *
   * @param nameOf an item's id
   */
  verdict(served: GuardView, learnt: GuardView, nameOf: (item: number) => string): string | null {
    const fell = (what: string, before: number | null, after: number | null) => (before !== null && !(after! >= before) ? `NDCG@10 on ${what} events fell from ${before.toFixed(4)} to ${after!.toFixed(4)}` : null);
    const reason = fell("earlier", served.measures.earlier, learnt.measures.earlier) ?? fell("earlier and recent", overall(served), overall(learnt));
    if (reason !== null) return reason;
    const risen = mostRisen(served, learnt);
    // Three standard deviations of a share in so many users, at most.
    const allowed = Math.max(MAX_RISE, 1.5 / Math.sqrt(learnt.numEarlier));
    if (risen && risen.to - risen.from > allowed) return `${JSON.stringify(nameOf(risen.item))} would enter the first ten items of ${percent(risen.to)} of users, from ${percent(risen.from)}`;
    return null;
  }
}

/** The item that has entered the most lists, by the share of users. Null where nobody's lists are known. */
export function mostRisen(served: GuardView, learnt: GuardView): { readonly item: number; readonly from: number; readonly to: number } | null {
  let most: { item: number; from: number; to: number } | null = null;
  for (const [item, to] of learnt.shares) {
    const from = served.shares.get(item) ?? 0;
    if (!most || to - from > most.to - most.from) most = { item, from, to };
  }
  return most;
}

/** Over all held-out events. */
function overall({ measures: { earlier, recent }, numEarlier, numRecent }: GuardView): number | null {
  return numEarlier + numRecent === 0 ? null : ((earlier ?? 0) * numEarlier + (recent ?? 0) * numRecent) / (numEarlier + numRecent);
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
