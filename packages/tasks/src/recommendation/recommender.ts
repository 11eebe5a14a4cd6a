import { HeddleError } from "@heddle/kernels";
import { loadModel, modelPlan, openModelFolder, recommenderFolder, saveModel, type FolderLock, type Model, type ModelFolderSource, type SASRecConfig } from "@heddle/transformer";
import { HeldDevice } from "../inference/device.ts";
import { modelTrial } from "../inference/trial.ts";
import { aligned, Catalogue, ITEMS_FILE, readCatalogue } from "./catalogue.ts";
import type { InteractionEvent } from "./data/from-events.ts";
import { countItems } from "./data/select-events.ts";
import { diversify } from "./diversify.ts";
import type { ItemRanker, RankedTargets, RankRequest } from "./evaluation/recommender.ts";
import { LeaveOneOut } from "./explain.ts";
import { fitRecommender } from "./fit.ts";
import type { Interactions } from "./interactions.ts";
import { ItemEmbeddings } from "./item-embeddings.ts";
import { rankRequests, rowOf } from "./rank-requests.ts";
import { Scorer, type BestRows } from "./scorer.ts";
import type { JournalReport } from "./update/journal.ts";
import { LiveHistories } from "./update/live-histories.ts";
import { LiveUpdates } from "./update/live-updates.ts";
import type { RollbackReport, UpdateOptions, UpdateReport, UpdateSettings } from "./update/types.ts";
import type { ExplainRequest, Explanation, FitRecommenderOptions, LoadRecommenderOptions, Recommendation, RecommendRequest, SimilarItem } from "./types.ts";

const DEFAULT_TOP_K = 10;
/** Places of a list from the device, so that a handful of programs serves all requests. */
const LIST_SIZES = [64, 256];
/** Items that a diverse list is chosen from: few enough for one of those lists with what is seen beside them. */
const CANDIDATES = 200;

/** What a recommender is made of. */
export interface RecommenderParts {
  readonly model: Model;
  readonly catalogue: Catalogue;
  /** By user, numbers of items, oldest first. */
  readonly histories: ReadonlyMap<string, Int32Array>;
  readonly updates?: UpdateSettings;
  readonly release: () => void;
}

/** Histories in, the items that come next out. */
export class SequentialRecommender implements ItemRanker {
  /** What an evaluation calls it. */
  readonly name = "sasrec";
  private readonly model: Model;
  private readonly catalogue: Catalogue;
  private readonly scorer: Scorer;
  private readonly leaveOneOut: LeaveOneOut;
  private readonly embeddings: ItemEmbeddings;
  private readonly histories: LiveHistories;
  private readonly updates: LiveUpdates;
  private disposed = false;

  constructor(private readonly parts: RecommenderParts) {
    this.model = parts.model;
    this.catalogue = parts.catalogue;
    this.scorer = new Scorer(parts.model);
    this.leaveOneOut = new LeaveOneOut(parts.model, this.scorer);
    this.embeddings = new ItemEmbeddings(parts.model);
    this.histories = new LiveHistories(parts.histories);
    this.updates = new LiveUpdates(
      { model: parts.model, scorer: this.scorer, catalogue: parts.catalogue, histories: this.histories, rank: (scorer, requests, topK, signal) => this.rankBy(scorer, requests, topK, signal) },
      parts.updates,
    );
  }

  /**
   * A folder that `savePretrained` wrote, or a SASRec checkpoint of pmixer/SASRec.pytorch, or of ICLRec or S3-Rec.
   *
   * Errors: those of loading; INVALID_ARGUMENT for a model of another family; DATA_INVALID for ids that do not fit.
   */
  static async fromPretrained(source: ModelFolderSource, { device, itemIds, interactions, updates, ...options }: LoadRecommenderOptions = {}): Promise<SequentialRecommender> {
    await using opened = await openModelFolder(source, options);
    const folder = await recommenderFolder(opened);
    const held = new HeldDevice(device, options.log);
    let model: Model | undefined;
    try {
      const { architecture, config } = modelPlan(folder, { head: "next-item" });
      if (config.modelType !== "sasrec") throw new HeddleError("INVALID_ARGUMENT", `[${folder.label}] is a ${config.modelType} model, which recommends nothing: choose a SASRec folder`);
      const { numItems } = config;
      if (itemIds && itemIds.length !== numItems) throw new HeddleError("DATA_INVALID", `[SequentialRecommender] itemIds has ${itemIds.length} ids, the model of ${folder.label} has ${numItems} items: give one for each, in the order of its rows`);
      const stored = itemIds ? new Catalogue(itemIds, undefined) : ((await readCatalogue(folder, numItems)) ?? new Catalogue(Array.from({ length: numItems }, (_, i) => String(i + 1)), undefined));
      const known = interactions && aligned(interactions, stored);
      const histories = new Map(known?.userIds.map((userId, user) => [userId, known.histories[user]!]));
      const catalogue = known ? new Catalogue(stored.itemIds, [...countItems(known.histories, numItems)]) : stored;
      const on = await held.open(() => modelTrial(architecture, config, { batchSize: 1, length: config.maxPositionEmbeddings }));
      ({ model } = await loadModel(on, folder, { ...options, head: "next-item" }));
      return new SequentialRecommender({ model, catalogue, histories, ...(updates && { updates }), release: () => held.release() });
    } catch (error) {
      model?.dispose();
      held.release();
      throw error;
    }
  }

  /**
   * Trains a model on who touched what, in time order, on the CPU, a GPU or whatever `device` says, and ends with the epoch that ranks
   * held-out events best.
   *
   * Errors: DATA_EMPTY, DATA_INVALID for ids that are there twice, INVALID_ARGUMENT, TRAINING_DIVERGED, ABORTED.
   */
  static fit(interactions: Interactions, options: FitRecommenderOptions = {}): Promise<SequentialRecommender> {
    return fitRecommender(interactions, options, (parts) => new SequentialRecommender(parts));
  }

  /** The items' own ids. An item's number is its place here. */
  get itemIds(): readonly string[] {
    return this.catalogue.itemIds;
  }

  /** What it runs on. */
  get deviceDescription(): string {
    return this.model.device.description;
  }

  /** How many of the newest items of a history count. */
  get maxLength(): number {
    return this.config.maxPositionEmbeddings;
  }

  /**
   * The items that most likely come next, best first, of equal ones the earlier in `itemIds`. Of a visitor of whom nothing is known,
   * what is touched most, marked as `fallback`. Empty where all items are filtered out or seen.
   *
   * @throws INVALID_ARGUMENT for an unknown item, a `topK` below 1, a `diversity` outside 0 to 1, both `history` and `userId` or neither,
   * or a visitor of whom nothing is known where what is popular is not known either
   */
  async recommend({ history, userId, topK = DEFAULT_TOP_K, excludeSeen = true, filter, diversity = 0 }: RecommendRequest): Promise<Recommendation[]> {
    this.assertUsable();
    if (!Number.isInteger(topK) || topK < 1) throw invalid(`topK must be a whole number of at least 1, got ${topK}`);
    if (!(diversity >= 0 && diversity <= 1)) throw invalid(`diversity must be a number from 0, best first, to 1, got ${diversity}`);
    const items = this.itemsOf(history, userId);
    const seen = new Set(excludeSeen ? items : []);
    if (items.length === 0) return this.popular(topK, filter, nothingKnown(userId));
    const best = (count: number) => this.best(count, seen, filter, (k, allowed) => this.scorer.bestFor(items.map(rowOf), k, allowed));
    const chosen = diversity === 0 ? await best(topK) : await this.diverse(best, topK, diversity);
    return chosen.map(([item, score]) => ({ itemId: this.itemIds[item]!, score }));
  }

  /**
   * The items most like one of the catalogue, by their embeddings, without that item itself.
   *
   * @throws INVALID_ARGUMENT for an unknown item
   */
  async similarItems(itemId: string, { topK = DEFAULT_TOP_K }: { readonly topK?: number } = {}): Promise<SimilarItem[]> {
    this.assertUsable();
    if (!Number.isInteger(topK) || topK < 1) throw invalid(`topK must be a whole number of at least 1, got ${topK}`);
    const own = this.catalogue.numberOf(itemId);
    const k = this.listSize(topK + 1 + this.foreignRows);
    return this.known(await this.scorer.bestLike(rowOf(own), k), (item) => item !== own, topK).map(([item, score]) => ({ itemId: this.itemIds[item]!, score }));
  }

  /**
   * Which past events moved an item's score: each one's effect is the score less the score of the same history without that event
   * (leave-one-out), all worked out in one batch. What the effects one by one do not account for is stated as `remainder`.
   *
   * @throws INVALID_ARGUMENT for an unknown item, both `history` and `userId` or neither, or no event at all; ABORTED
   */
  async explain({ history, userId, itemId, signal }: ExplainRequest): Promise<Explanation> {
    this.assertUsable();
    const target = this.catalogue.numberOf(itemId);
    const items = this.itemsOf(history, userId);
    if (items.length === 0) throw invalid(`explain: ${nothingKnown(userId)}, so no event moved ${JSON.stringify(itemId)}: give a history of one item at least`);
    const { score, baseline, places, without } = await this.leaveOneOut.run(items.map(rowOf), rowOf(target), signal);
    const contributions = places.map((index, i) => ({ itemId: this.itemIds[items[index]!]!, index, effect: score - without[i]! })).sort((a, b) => b.effect - a.effect || b.index - a.index);
    return { itemId, score, baseline, contributions, remainder: contributions.reduce((left, { effect }) => left - effect, score - baseline) };
  }

  /**
   * Ranks of targets among the whole catalogue, and the best items, counted on the device: an `ItemRanker`, which `evaluateRecommender`
   * takes. Of equal scores the earlier in `itemIds` comes first. Histories that are empty get what is popular.
   *
   * @param requests by numbers of `itemIds`
   * @param topK 0 where no list is wanted
   * @throws INVALID_ARGUMENT for a number that no item has, or an empty history where what is popular is not known; VALUE_OUT_OF_RANGE
   * for scores that are NaN; ABORTED
   */
  rankAll(requests: readonly RankRequest[], topK: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<RankedTargets> {
    this.assertUsable();
    return this.rankBy(this.scorer, requests, topK, signal);
  }

  /**
   * What visitors touched just now. Their histories grow at once, so that the next `recommend({ userId })` answers from it, without any
   * training. Events also gather until there are enough for a round of learning: a few small steps on the newest histories, mixed with
   * old ones, on a copy of the model beside it. The copy's weights serve only where NDCG@10 of users who are never learnt from is no
   * lower than before; otherwise the report says what fell, and nothing changes. `recommend` is answered all the while; a call under
   * way ends with the weights that it began with or with the new ones, never with a mixture within one list of scores.
   *
   * A call of no events changes nothing, but with `learn: "now"` it learns what waits.
   *
   * @throws INVALID_ARGUMENT for an unknown item, with its id; DATA_INVALID for an empty id, a time that is no milliseconds since 1970, or
   * times on some events only; DISK_FULL, FOLDER_NOT_WRITABLE of the journal: in all these cases nothing of the call was taken.
   * TRAINING_DIVERGED, and ABORTED once it learns: the events are in the histories and wait, and the served weights are as they were
   */
  async update(events: readonly InteractionEvent[], options: UpdateOptions = {}): Promise<UpdateReport> {
    this.assertUsable();
    return this.updates.update(events, options);
  }

  /** Serves the weights before the newest accepted round of learning again. One step back is kept; histories keep all events. */
  async rollback(): Promise<RollbackReport> {
    this.assertUsable();
    return this.updates.rollback();
  }

  /**
   * Goes on where a folder of updates left off, and keeps all that comes in it (Node): what an `update` has answered for survives a
   * kill or a power cut, as do the newest accepted weights and those before them. Call it before the first update, on the recommender that the
   * folder began with, and end with `close`.
   *
   * @throws FOLDER_IN_USE, FOLDER_NOT_WRITABLE, NODE_REQUIRED; INVALID_ARGUMENT for a second journal, events before it, or an item that
   * is not in the catalogue; CHECKPOINT_INVALID for a damaged folder; CHECKPOINT_MISMATCH for updates of another model
   */
  async openJournal(folder: string): Promise<JournalReport> {
    this.assertUsable();
    return this.updates.openJournal(folder);
  }

  /** Stops learning, waits until the journal is safe on the disk, and disposes. */
  async close(): Promise<void> {
    await this.updates.close();
    this.dispose();
  }

  /**
   * The same events by the numbers of `itemIds`, as `rankAll` takes them.
   *
   * @throws DATA_INVALID where somebody touched an item that the model does not know, with its id and how many there are
   */
  alignInteractions(interactions: Interactions): Interactions {
    return aligned(interactions, this.catalogue);
  }

  /** Writes a folder that `fromPretrained` loads (Node): the model, its items, and how often each was touched. No user's history is in it. */
  async savePretrained(folder: string, { lock, signal }: { lock?: FolderLock; signal?: AbortSignal } = {}): Promise<void> {
    this.assertUsable();
    await saveModel(this.model, folder, { files: { [ITEMS_FILE]: this.catalogue.toJson() } }, { lock, signal });
  }

  /** Frees the model, and the device where it was opened for this recommender. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.updates.dispose();
    this.leaveOneOut.dispose();
    this.embeddings.dispose();
    this.scorer.dispose();
    this.model.dispose();
    this.parts.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Numbers of the items that a visitor touched; none of a user whom nobody knows. Throws INVALID_ARGUMENT. */
  private itemsOf(history: readonly string[] | undefined, userId: string | undefined): Int32Array {
    if ((history === undefined) === (userId === undefined)) throw invalid("wants either history, a list of item ids, or userId");
    return history ? this.catalogue.numbersOf(history) : (this.histories.get(userId!) ?? new Int32Array());
  }

  private rankBy(scorer: Scorer, requests: readonly RankRequest[], topK: number, signal: AbortSignal | undefined): Promise<RankedTargets> {
    return rankRequests(requests, { name: this.name, scorer, catalogue: this.catalogue, rowsOutside: [...this.rowsOutside()], topK, signal });
  }

  private get config(): SASRecConfig {
    return this.model.config as SASRecConfig;
  }

  /** Rows of the table that are no item: padding's, and any behind the items. */
  private get foreignRows(): number {
    return this.config.vocabSize - this.config.numItems;
  }

  private *rowsOutside(): Generator<number> {
    yield 0;
    for (let row = this.config.numItems + 1; row < this.config.vocabSize; row++) yield row;
  }

  /**
   * The first of a longer list that may come. Where too few of it may, or many are seen, all that may not are left out before the
   * list is made.
   *
   * @returns numbers of items and their scores
   */
  private async best(topK: number, seen: ReadonlySet<number>, filter: RecommendRequest["filter"], run: (k: number, allowed?: Float32Array) => Promise<BestRows>): Promise<(readonly [item: number, score: number])[]> {
    const may = (item: number) => !seen.has(item) && (filter === undefined || filter(this.itemIds[item]!));
    const wanted = topK + seen.size + this.foreignRows;
    if (wanted <= LIST_SIZES.at(-1)!) {
      const size = this.listSize(filter ? LIST_SIZES.at(-1)! : wanted);
      const found = this.known(await run(size), may, topK);
      if (found.length === topK || size === this.config.vocabSize) return found;
    }
    const allowed = new Float32Array(this.config.vocabSize);
    for (let item = 0; item < this.catalogue.size; item++) allowed[rowOf(item)] = Number(may(item));
    return this.known(await run(this.listSize(topK), allowed), () => true, topK);
  }

  /** `topK` items that differ, of the best that may come. Numbers of items and their scores, in the order in which they are chosen. */
  private async diverse(best: (count: number) => Promise<(readonly [item: number, score: number])[]>, topK: number, diversity: number): Promise<(readonly [item: number, score: number])[]> {
    const places = Math.min(Math.max(CANDIDATES, 2 * topK), this.catalogue.size);
    const candidates = await best(places);
    return diversify(candidates, await this.embeddings.of(candidates.map(([item]) => rowOf(item)), places), topK, diversity);
  }

  private listSize(wanted: number): number {
    return Math.min(LIST_SIZES.find((size) => size >= wanted) ?? wanted, this.config.vocabSize);
  }

  /** The first `count` of those rows that are items, and may come. */
  private known({ rows, scores }: BestRows, may: (item: number) => boolean, count: number): (readonly [item: number, score: number])[] {
    const found: (readonly [item: number, score: number])[] = [];
    for (let i = 0; i < rows.length && found.length < count; i++) {
      const item = rows[i]! - 1;
      if (item >= 0 && item < this.catalogue.size && may(item)) found.push([item, scores[i]!]);
    }
    return found;
  }

  private popular(topK: number, filter: RecommendRequest["filter"], why: string): Recommendation[] {
    const { counts } = this.catalogue;
    if (!counts) throw invalid(`${why}, and this model was saved without what is popular: pass interactions to fromPretrained, or a history`);
    const items = counts.map((_, item) => item).filter((item) => filter === undefined || filter(this.itemIds[item]!)).sort((a, b) => counts[b]! - counts[a]! || a - b);
    return items.slice(0, topK).map((item) => ({ itemId: this.itemIds[item]!, score: counts[item]!, fallback: "popularity" }));
  }

  private assertUsable(): void {
    if (this.disposed) throw new HeddleError("DISPOSED", "[recommender] was disposed: load the model again");
  }
}

const nothingKnown = (userId: string | undefined): string => (userId === undefined ? "the history is empty" : `nothing is known of user ${JSON.stringify(userId)}`);

const invalid = (what: string) => new HeddleError("INVALID_ARGUMENT", `[recommender] ${what}`);
