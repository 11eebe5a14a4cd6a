import type { HeldOutEvent, Interactions } from "@heddle/tasks";

/** What a user touched, oldest first, and what came next. */
export interface ColdQuery {
  readonly history: readonly string[];
  readonly target: string;
}

export interface ColdSplit {
  readonly coldIds: readonly string[];
  /** Without the cold items and without what is asked for. */
  readonly train: Interactions;
  readonly validation: readonly HeldOutEvent[];
  /** Users whose last event is a cold item, and the other users. */
  readonly cold: readonly ColdQuery[];
  readonly warm: readonly ColdQuery[];
}

/** Scores of all items after a history, in their order. */
export type ItemScore = (history: readonly string[]) => ArrayLike<number>;

/**
 * Each user's last event is the question, the last but one chooses the epoch where it is no cold item, and training sees the rest
 * without cold items. Questions keep cold items in their histories, as a shop would. Users with fewer than three events only train.
 */
export function coldSplit({ userIds, itemIds, histories }: Interactions, isColdItem: (item: number) => boolean): ColdSplit {
  const cold = itemIds.map((_, item) => isColdItem(item));
  const warmNumber = new Map<number, number>();
  cold.forEach((isCold, item) => !isCold && warmNumber.set(item, warmNumber.size));
  const warmOnly = (history: Int32Array) => history.filter((item) => !cold[item]).map((item) => warmNumber.get(item)!);
  const queries = { cold: [] as ColdQuery[], warm: [] as ColdQuery[] };
  const validation: HeldOutEvent[] = [];
  const train = histories.map((history) => {
    if (history.length < 3) return warmOnly(history);
    const [target, before] = [history.at(-1)!, history.at(-2)!];
    queries[cold[target] ? "cold" : "warm"].push({ history: Array.from(history.subarray(0, -1), (item) => itemIds[item]!), target: itemIds[target]! });
    const past = warmOnly(history.subarray(0, -2));
    if (!cold[before] && past.length > 0) validation.push({ history: past, target: warmNumber.get(before)! });
    return past;
  });
  return { coldIds: itemIds.filter((_, item) => cold[item]), train: { userIds, itemIds: itemIds.filter((_, item) => !cold[item]), histories: train }, validation, ...queries };
}

/**
 * The share of questions whose answer is among the first `cutoff` candidates, those of equal scores in any order: what nobody touched
 * is 0 to popularity, and the order of ids must not speak for it. What the user touched before is no candidate. For each set of candidates.
 */
export function recallOf<K extends string>(queries: readonly ColdQuery[], itemIds: readonly string[], score: ItemScore, among: Readonly<Record<K, readonly boolean[]>>, cutoff: number): Record<K, number> {
  const numberOf = new Map(itemIds.map((itemId, item) => [itemId, item]));
  const hits = Object.fromEntries(Object.keys(among).map((key) => [key, 0])) as Record<K, number>;
  for (const { history, target } of queries) {
    const scores = score(history);
    const seen = new Set(history.map((itemId) => numberOf.get(itemId)!));
    const own = numberOf.get(target)!;
    for (const key of Object.keys(among) as K[]) {
      let [before, equal] = [0, 0];
      for (let item = 0; item < itemIds.length; item++) {
        if (!among[key][item] || seen.has(item)) continue;
        if (scores[item]! > scores[own]!) before++;
        else if (scores[item] === scores[own]) equal++;
      }
      hits[key] += Math.min(1, Math.max(0, cutoff - before) / equal);
    }
  }
  return Object.fromEntries(Object.entries<number>(hits).map(([key, count]) => [key, count / Math.max(1, queries.length)])) as Record<K, number>;
}

/** What a list of `cutoff` unseen candidates in any order finds on average. */
export function chanceOf(queries: readonly ColdQuery[], candidates: readonly string[], cutoff: number): number {
  const all = new Set(candidates);
  const left = ({ history }: ColdQuery) => all.size - new Set(history.filter((itemId) => all.has(itemId))).size;
  return queries.reduce((sum, query) => sum + Math.min(1, cutoff / left(query)) / queries.length, 0);
}

export function popularity(itemIds: readonly string[], counts: ReadonlyMap<string, number>): ItemScore {
  const scores = itemIds.map((itemId) => counts.get(itemId) ?? 0);
  return () => scores;
}

type Attributes = ReadonlyMap<string, readonly string[]>;

/** How often items with an attribute were touched, on average, summed over an item's attributes: popularity for what nobody touched. */
export function attributePopularity(itemIds: readonly string[], attributes: Attributes, counts: ReadonlyMap<string, number>): ItemScore {
  const totals = new Map<string, { events: number; items: number }>();
  for (const [itemId, events] of counts) {
    for (const attribute of attributes.get(itemId) ?? []) {
      const { events: before, items } = totals.get(attribute) ?? { events: 0, items: 0 };
      totals.set(attribute, { events: before + events, items: items + 1 });
    }
  }
  const mean = (attribute: string) => (totals.has(attribute) ? totals.get(attribute)!.events / totals.get(attribute)!.items : 0);
  const scores = itemIds.map((itemId) => (attributes.get(itemId) ?? []).reduce((sum, attribute) => sum + mean(attribute), 0));
  return () => scores;
}

/** Cosine of an item's attributes with those of the history, rare ones counting more (TF-IDF): what content alone says. */
export function attributeProfile(itemIds: readonly string[], attributes: Attributes): ItemScore {
  const itemsOf = new Map<string, number[]>();
  itemIds.forEach((itemId, item) => {
    for (const attribute of attributes.get(itemId) ?? []) {
      const known = itemsOf.get(attribute);
      if (known) known.push(item);
      else itemsOf.set(attribute, [item]);
    }
  });
  const rarity = (attribute: string) => Math.log(itemIds.length / (itemsOf.get(attribute)?.length ?? 1));
  const lengths = itemIds.map((itemId) => Math.hypot(...(attributes.get(itemId) ?? []).map(rarity)) || 1);
  return (history) => {
    const profile = new Map<string, number>();
    for (const itemId of history) for (const attribute of attributes.get(itemId) ?? []) profile.set(attribute, (profile.get(attribute) ?? 0) + rarity(attribute));
    const scores = new Float64Array(itemIds.length);
    for (const [attribute, weight] of profile) for (const item of itemsOf.get(attribute) ?? []) scores[item]! += weight * rarity(attribute);
    return scores.map((score, item) => score / lengths[item]!);
  };
}
