import { HeddleError } from "@heddle/kernels";
import { loadModel, modelPlan, openModelFolder, recommenderFolder, saveModel, type FolderLock, type Model, type ModelFolderSource, type SASRecConfig } from "@heddle/transformer";
import { HeldDevice } from "../inference/device.ts";
import { modelTrial } from "../inference/trial.ts";
import { extend } from "./add-items.ts";
import { aligned, Catalogue, ITEMS_FILE, readCatalogue } from "./catalogue.ts";
import { countItems } from "./data/select-events.ts";
import { diversify } from "./diversify.ts";
import type { ItemRanker, RankedTargets, RankRequest } from "./evaluation/recommender.ts";
import { LeaveOneOut } from "./explain.ts";
import { fitRecommender } from "./fit.ts";
import { InFlight } from "./in-flight.ts";
import type { Interactions } from "./interactions.ts";
import { ItemEmbeddings } from "./item-embeddings.ts";
import { featureContents, readFeatures, type KnownFeatures } from "./known-features.ts";
import { tableOf, type ItemWriter } from "./new-items.ts";
import { rankRequests, rowOf } from "./rank-requests.ts";
import { Scorer, type BestRows } from "./scorer.ts";
import type { AddedItems, ExplainRequest, Explanation, FitRecommenderOptions, LoadRecommenderOptions, NewItem, Recommendation, RecommendRequest, SimilarItem } from "./types.ts";

const DEFAULT_TOP_K = 10;
/** Places of a list from the device, so that a handful of programs serves all requests. */
const LIST_SIZES = [64, 256];
/** Rows that are no item and may be in a list. Where more are, the list is made anew. */
const MOST_FOREIGN = 4;
/** Items that a diverse list is chosen from: few enough for one of those lists with what is seen beside them. */
const CANDIDATES = 200;

/** What a recommender is made of. */
export interface RecommenderParts {
  readonly model: Model;
  readonly catalogue: Catalogue;
  /** By user, numbers of items, oldest first. */
  readonly histories: ReadonlyMap<string, Int32Array>;
  /** Of a model that was trained with features of items. */
  readonly features?: KnownFeatures | undefined;
  readonly release: () => void;
}

/** Histories in, the items that come next out. */
export class SequentialRecommender implements ItemRanker {
  /** What an evaluation calls it. */
  readonly name = "sasrec";
  private model!: Model;
  private catalogue: Catalogue;
  private features: KnownFeatures | undefined;
  private scorer!: Scorer;
  private leaveOneOut!: LeaveOneOut;
  private embeddings!: ItemEmbeddings;
  private readonly inFlight = new InFlight();
  private writer: ItemWriter | undefined;
  private lastAddition: Promise<unknown> = Promise.resolve();
  private disposed = false;

  constructor(private readonly parts: RecommenderParts) {
    this.catalogue = parts.catalogue;
    this.features = parts.features;
    this.serve(parts.model);
  }

  /**
   * A folder that `savePretrained` wrote, or a SASRec checkpoint of pmixer/SASRec.pytorch, or of ICLRec or S3-Rec.
   *
   * Errors: those of loading; INVALID_ARGUMENT for a model of another family; DATA_INVALID for ids that do not fit.
   */
  static async fromPretrained(source: ModelFolderSource, { device, itemIds, interactions, ...options }: LoadRecommenderOptions = {}): Promise<SequentialRecommender> {
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
      const features = await readFeatures(folder, on, config);
      return new SequentialRecommender({ model, catalogue, histories, features, release: () => held.release() });
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
    const best = (count: number) => this.best(count, seen, filter, (k, allowed) => this.inFlight.run(() => this.scorer.bestFor(items.map(rowOf), k, allowed)));
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
    const best = (k: number) => this.inFlight.run(() => this.scorer.bestLike(rowOf(own), k));
    const isOther = (item: number) => item !== own;
    const found = this.known(await best(this.listSize(topK + 1 + this.likelyForeign)), isOther, topK);
    const all = found.length === topK ? found : this.known(await best(this.listSize(topK + 1 + this.foreignRows)), isOther, topK);
    return all.map(([item, score]) => ({ itemId: this.itemIds[item]!, score }));
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
    const { score, baseline, places, without } = await this.inFlight.run(() => this.leaveOneOut.run(items.map(rowOf), rowOf(target), signal));
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
    return this.inFlight.run(() => rankRequests(requests, { name: this.name, scorer: this.scorer, catalogue: this.catalogue, rowsOutside: [...this.rowsOutside()], topK, signal }));
  }

  /**
   * The same events by the numbers of `itemIds`, as `rankAll` takes them.
   *
   * @throws DATA_INVALID where somebody touched an item that the model does not know, with its id and how many there are
   */
  alignInteractions(interactions: Interactions): Interactions {
    return aligned(interactions, this.catalogue);
  }

  /**
   * New items, placed by their features: from now on they are recommended, found, explained and may be in histories, with nothing
   * trained anew. Of several calls one comes after the other. Programs are made anew only where the model's room is used up: at the
   * first call, and then every 64 items.
   *
   * @returns what the model did not know of these items
   * @throws INVALID_ARGUMENT for a model that was trained without `itemFeatures`; DATA_INVALID for an id that exists already, a number
   * that is not finite, or an embedding of another length. Nothing is added then.
   */
  addItems(items: readonly NewItem[]): Promise<AddedItems> {
    const addition = this.lastAddition.then(() => this.addNow(items));
    this.lastAddition = addition.catch(() => undefined);
    return addition;
  }

  /** Writes a folder that `fromPretrained` loads (Node): the model, its items, their features, and how often each was touched. No user's history is in it. */
  async savePretrained(folder: string, { lock, signal }: { lock?: FolderLock; signal?: AbortSignal } = {}): Promise<void> {
    this.assertUsable();
    const { files, tensors } = this.features ? featureContents(this.features) : { files: {}, tensors: [] };
    await saveModel(this.model, folder, { files: { ...files, [ITEMS_FILE]: this.catalogue.toJson() }, tensors }, { lock, signal });
  }

  /** Frees the model, and the device where it was opened for this recommender. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const program of this.programs()) program.dispose();
    this.model.dispose();
    this.features?.encoder.dispose();
    this.parts.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Makes the programs of a model. */
  private serve(model: Model): void {
    this.model = model;
    this.scorer = new Scorer(model);
    this.leaveOneOut = new LeaveOneOut(model, this.scorer);
    this.embeddings = new ItemEmbeddings(model);
  }

  private programs(): readonly { dispose(): void }[] {
    return [this.leaveOneOut, this.embeddings, this.scorer, ...(this.writer ? [this.writer] : [])];
  }

  private async addNow(items: readonly NewItem[]): Promise<AddedItems> {
    this.assertUsable();
    const { model, catalogue, features, writer } = this;
    const { extended, added } = await extend({ model, catalogue, features, writer }, items);
    if (tableOf(extended.model) !== tableOf(model)) {
      if (this.disposed) for (const part of [extended.writer!, tableOf(extended.model)]) part.dispose();
      this.assertUsable();
      const retired = [tableOf(model), ...this.programs()];
      // Calls that began with the old table end with it.
      void this.inFlight.settled().then(() => retired.forEach((part) => part.dispose()));
      this.serve(extended.model);
    }
    this.model = extended.model;
    this.scorer.tableChanged();
    ({ catalogue: this.catalogue, features: this.features, writer: this.writer } = extended);
    return added;
  }

  /** Numbers of the items that a visitor touched; none of a user whom nobody knows. Throws INVALID_ARGUMENT. */
  private itemsOf(history: readonly string[] | undefined, userId: string | undefined): Int32Array {
    if ((history === undefined) === (userId === undefined)) throw invalid("wants either history, a list of item ids, or userId");
    return history ? this.catalogue.numbersOf(history) : (this.parts.histories.get(userId!) ?? new Int32Array());
  }

  private get config(): SASRecConfig {
    return this.model.config as SASRecConfig;
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

  /**
   * The first of a longer list that may come. Where too few of it may, or many are seen, all that may not are left out before the
   * list is made.
   *
   * @returns numbers of items and their scores
   */
  private async best(topK: number, seen: ReadonlySet<number>, filter: RecommendRequest["filter"], run: (k: number, allowed?: Float32Array) => Promise<BestRows>): Promise<(readonly [item: number, score: number])[]> {
    const may = (item: number) => !seen.has(item) && (filter === undefined || filter(this.itemIds[item]!));
    const wanted = topK + seen.size + this.likelyForeign;
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
    return diversify(candidates, await this.inFlight.run(() => this.embeddings.of(candidates.map(([item]) => rowOf(item)), places)), topK, diversity);
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
