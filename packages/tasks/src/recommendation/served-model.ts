import type { Model, RecommenderConfig } from "@heddle/transformer";
import type { Catalogue } from "./catalogue.ts";
import { diversify } from "./diversify.ts";
import type { RankedTargets, RankRequest } from "./evaluation/recommender.ts";
import { LeaveOneOut } from "./explain.ts";
import { ItemEmbeddings } from "./item-embeddings.ts";
import { tableOf } from "./item-table.ts";
import { rankRequests, rowOf } from "./rank-requests.ts";
import { Scorer, type BestRows } from "./scorer.ts";

/** Places of a list from the device, so that a handful of programs serves all requests. */
const LIST_SIZES = [64, 256];
/** Rows that are no item and may be in a list. Where more are, the list is made anew. */
const MOST_FOREIGN = 4;
/** Items that a diverse list is chosen from: few enough for one of those lists with what is seen beside them. */
const CANDIDATES = 200;

/** An item's number and its score. */
export type ScoredItem = readonly [item: number, score: number];

export interface ListRequest {
  readonly topK: number;
  /** Numbers of items that may not come. */
  readonly seen: ReadonlySet<number>;
  readonly filter: ((itemId: string) => boolean) | undefined;
}

interface Programs {
  readonly scorer: Scorer;
  readonly leaveOneOut: LeaveOneOut;
  readonly embeddings: ItemEmbeddings;
}

/** A model, its items, and the programs that answer from them. More items make another one of it, and requests under way keep theirs. */
export class ServedModel {
  private constructor(
    readonly model: Model,
    readonly catalogue: Catalogue,
    private readonly programs: Programs,
  ) {}

  static of(model: Model, catalogue: Catalogue): ServedModel {
    return new ServedModel(model, catalogue, { scorer: new Scorer(model), leaveOneOut: new LeaveOneOut(model), embeddings: new ItemEmbeddings(model) });
  }

  /** Of more items: on the same programs where the table is the same, which then has new rows. */
  extended(model: Model, catalogue: Catalogue): ServedModel {
    if (tableOf(model) !== tableOf(this.model)) return ServedModel.of(model, catalogue);
    this.scorer.weightsChanged();
    return new ServedModel(model, catalogue, this.programs);
  }

  get config(): RecommenderConfig {
    return this.model.config as RecommenderConfig;
  }

  get scorer(): Scorer {
    return this.programs.scorer;
  }

  get leaveOneOut(): LeaveOneOut {
    return this.programs.leaveOneOut;
  }

  /**
   * The first of a longer list that may come. Where too few of it may, or many are seen, all that may not are left out before the
   * list is made.
   *
   * @param history numbers of items, oldest first; one at least
   */
  async best(history: Int32Array, { topK, seen, filter }: ListRequest): Promise<ScoredItem[]> {
    const rows = history.map(rowOf);
    const may = (item: number) => !seen.has(item) && (filter === undefined || filter(this.catalogue.itemIds[item]!));
    const wanted = topK + seen.size + this.likelyForeign;
    if (wanted <= LIST_SIZES.at(-1)!) {
      const size = this.listSize(filter ? LIST_SIZES.at(-1)! : wanted);
      const found = this.known(await this.scorer.bestFor(rows, size), may, topK);
      if (found.length === topK || size === this.config.vocabSize) return found;
    }
    const allowed = new Float32Array(this.config.vocabSize);
    for (let item = 0; item < this.catalogue.size; item++) allowed[rowOf(item)] = Number(may(item));
    return this.known(await this.scorer.bestFor(rows, this.listSize(topK), allowed), () => true, topK);
  }

  /** Items that differ, of the best that may come, in the order in which they are chosen. */
  async diverse(history: Int32Array, { topK, ...request }: ListRequest, diversity: number): Promise<ScoredItem[]> {
    const places = Math.min(Math.max(CANDIDATES, 2 * topK), this.catalogue.size);
    const candidates = await this.best(history, { topK: places, ...request });
    return diversify(candidates, await this.programs.embeddings.of(candidates.map(([item]) => rowOf(item)), places), topK, diversity);
  }

  /** Other items, with the cosine of their embeddings and this one's. */
  async similar(own: number, topK: number): Promise<ScoredItem[]> {
    const among = async (foreign: number) => this.known(await this.scorer.bestLike(rowOf(own), this.listSize(topK + 1 + foreign)), (item) => item !== own, topK);
    const found = await among(this.likelyForeign);
    return found.length === topK ? found : among(this.foreignRows);
  }

  /** Items by how often they were touched, of equal ones the earlier first; undefined where nobody knows. */
  popular({ topK, filter }: Omit<ListRequest, "seen">): ScoredItem[] | undefined {
    const { counts, itemIds } = this.catalogue;
    if (!counts) return undefined;
    const items = counts.map((_, item) => item).filter((item) => filter === undefined || filter(itemIds[item]!)).sort((a, b) => counts[b]! - counts[a]! || a - b);
    return items.slice(0, topK).map((item) => [item, counts[item]!] as const);
  }

  /**
   * Ranks of targets among all items: see `rankRequests`.
   *
   * @param scorer of these weights, or of others with the same items
   */
  rank(requests: readonly RankRequest[], topK: number, signal: AbortSignal | undefined, scorer = this.scorer): Promise<RankedTargets> {
    return rankRequests(requests, { name: this.config.modelType, scorer, catalogue: this.catalogue, rowsOutside: [...this.rowsOutside()], topK, signal });
  }

  /** Frees the programs; the model is its owner's. */
  dispose(): void {
    for (const program of Object.values(this.programs) as { dispose(): void }[]) program.dispose();
  }

  /** Rows of the table that are no item: padding's, and any behind the items. */
  private get foreignRows(): number {
    return this.config.vocabSize - this.config.numItems;
  }

  /** So many of them at most are reckoned with in a list: rows in store for new items are zeros, which hardly ever score high. */
  private get likelyForeign(): number {
    return Math.min(this.foreignRows, MOST_FOREIGN);
  }

  private *rowsOutside(): Generator<number> {
    yield 0;
    for (let row = this.config.numItems + 1; row < this.config.vocabSize; row++) yield row;
  }

  private listSize(wanted: number): number {
    return Math.min(LIST_SIZES.find((size) => size >= wanted) ?? wanted, this.config.vocabSize);
  }

  /** The first `count` of those rows that are items, and may come. */
  private known({ rows, scores }: BestRows, may: (item: number) => boolean, count: number): ScoredItem[] {
    const found: ScoredItem[] = [];
    for (let i = 0; i < rows.length && found.length < count; i++) {
      const item = rows[i]! - 1;
      if (item >= 0 && item < this.catalogue.size && may(item)) found.push([item, scores[i]!]);
    }
    return found;
  }
}
