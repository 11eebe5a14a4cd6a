import { buyersOf, cosine, type Buyers } from "../co-occurrence.ts";

/** More lists than this are not compared pair by pair; those taken are spread evenly. */
const MAX_LISTS_FOR_DIVERSITY = 2000;

/** How alike two items are, from 0 to 1. */
export type ItemSimilarity = (a: number, b: number) => number;

/** What lists are like apart from being right. */
export interface ListQualities {
  /** Share of the catalogue that is in any list. */
  readonly coverage: number;
  /** How unevenly the catalogue is recommended: 0 where each item is equally often, towards 1 where a few always are. */
  readonly gini: number;
  /** Mean surprise in bits of an item, -log2 of the share of training users who touched it (Zhou et al. 2010); one user more is counted, so that a new item has a value. */
  readonly novelty: number;
  /** Mean of 1 - similarity over the pairs of a list (Ziegler et al. 2005); null where no list has two items. */
  readonly diversity: number | null;
}

/** Qualities of lists, from training histories; two items are alike as their users are (cosine) unless `similarity` says otherwise. */
export class ListMeasure {
  private readonly buyers: Buyers;
  private readonly surprise: Float64Array;
  private readonly similarity: ItemSimilarity;

  constructor(histories: readonly Int32Array[], private readonly numItems: number, similarity?: ItemSimilarity) {
    this.buyers = buyersOf(histories, numItems);
    const { starts } = this.buyers;
    this.surprise = Float64Array.from({ length: numItems }, (_, item) => -Math.log2((starts[item + 1]! - starts[item]! + 1) / (histories.length + 1)));
    this.similarity = similarity ?? remembered((a, b) => cosine(this.buyers, a, b), numItems);
  }

  /** @param lists best first; of each the first `k` count */
  qualitiesAt(lists: readonly Int32Array[], k: number): ListQualities {
    const counts = new Float64Array(this.numItems);
    let [shown, surprise] = [0, 0];
    for (const list of lists) {
      for (const item of list.subarray(0, k)) {
        counts[item]!++;
        shown++;
        surprise += this.surprise[item]!;
      }
    }
    return {
      coverage: counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0) / this.numItems,
      gini: gini(counts),
      novelty: shown === 0 ? 0 : surprise / shown,
      diversity: this.diversityAt(lists, k),
    };
  }

  private diversityAt(lists: readonly Int32Array[], k: number): number | null {
    const stride = Math.max(1, Math.ceil(lists.length / MAX_LISTS_FOR_DIVERSITY));
    let [total, numLists] = [0, 0];
    for (let at = 0; at < lists.length; at += stride) {
      const list = lists[at]!.subarray(0, k);
      if (list.length < 2) continue;
      let alike = 0;
      for (let i = 1; i < list.length; i++) for (let j = 0; j < i; j++) alike += this.similarity(list[i]!, list[j]!);
      total += 1 - alike / ((list.length * (list.length - 1)) / 2);
      numLists++;
    }
    return numLists === 0 ? null : total / numLists;
  }
}

/** Gini coefficient of counts: Σ (2i - n - 1) x_i / (n Σ x), x ascending. */
export function gini(counts: Float64Array): number {
  const sorted = counts.slice().sort();
  const total = sorted.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  return sorted.reduce((sum, count, i) => sum + (2 * (i + 1) - sorted.length - 1) * count, 0) / (sorted.length * total);
}

/** Lists share their popular items: a pair is worked out once. */
function remembered(similarity: ItemSimilarity, numItems: number): ItemSimilarity {
  const known = new Map<number, number>();
  return (a, b) => {
    const key = Math.min(a, b) * numItems + Math.max(a, b);
    let value = known.get(key);
    if (value === undefined) known.set(key, (value = similarity(a, b)));
    return value;
  };
}
