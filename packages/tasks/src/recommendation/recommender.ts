import { HeddleError } from "@heddle/kernels";
import { isRecommenderConfig, loadModel, modelPlan, openModelFolder, recommenderFolder, saveModel, type FolderLock, type Model, type ModelFolderSource, type RecommenderConfig } from "@heddle/transformer";
import { HeldDevice } from "../inference/device.ts";
import { modelTrial } from "../inference/trial.ts";
import { extend } from "./add-items.ts";
import { aligned, Catalogue, ITEMS_FILE, readCatalogue } from "./catalogue.ts";
import type { InteractionEvent } from "./data/from-events.ts";
import { countItems } from "./data/select-events.ts";
import type { ItemRanker, RankedTargets, RankRequest } from "./evaluation/recommender.ts";
import { RECOMMENDER_MODELS } from "./families.ts";
import { fitRecommender } from "./fit.ts";
import { InFlight } from "./in-flight.ts";
import type { Interactions } from "./interactions.ts";
import { tableOf } from "./item-table.ts";
import { featureContents, readFeatures, type KnownFeatures } from "./known-features.ts";
import type { ItemWriter } from "./new-items.ts";
import { itemsRead } from "./question.ts";
import { rowOf } from "./rank-requests.ts";
import { ServedModel, type ScoredItem } from "./served-model.ts";
import type { AddedItems, ExplainRequest, Explanation, FitRecommenderOptions, LoadRecommenderOptions, NewItem, Recommendation, RecommendRequest, SimilarItem } from "./types.ts";
import type { JournalReport } from "./update/journal.ts";
import { LiveHistories } from "./update/live-histories.ts";
import { LiveUpdates } from "./update/live-updates.ts";
import type { RollbackReport, UpdateOptions, UpdateReport, UpdateSettings } from "./update/types.ts";

const DEFAULT_TOP_K = 10;

/** What a recommender is made of. */
export interface RecommenderParts {
  readonly model: Model;
  readonly catalogue: Catalogue;
  /** By user, numbers of items, oldest first. */
  readonly histories: ReadonlyMap<string, Int32Array>;
  /** Of a model that was trained with features of items. */
  readonly features?: KnownFeatures | undefined;
  readonly updates?: UpdateSettings | undefined;
  readonly release: () => void;
}

/** Histories in, the items that come next out. */
export class SequentialRecommender implements ItemRanker {
  private served: ServedModel;
  private features: KnownFeatures | undefined;
  private writer: ItemWriter | undefined;
  private readonly histories: LiveHistories;
  private readonly updates: LiveUpdates;
  private readonly inFlight = new InFlight();
  private readonly release: () => void;
  private disposed = false;

  /** Throws INVALID_ARGUMENT for settings of updates that are none. */
  constructor({ model, catalogue, histories, features, updates, release }: RecommenderParts) {
    this.served = ServedModel.of(model, catalogue);
    this.features = features;
    this.release = release;
    this.histories = new LiveHistories(histories);
    this.updates = new LiveUpdates(() => this.served, this.histories, updates);
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
    let features: KnownFeatures | undefined;
    try {
      const { architecture, config } = modelPlan(folder, { head: "next-item" });
      if (!isRecommenderConfig(config)) throw new HeddleError("INVALID_ARGUMENT", `[${folder.label}] is a ${config.modelType} model, which recommends nothing: choose a folder of one of ${RECOMMENDER_MODELS.join(", ")}`);
      const { numItems } = config;
      if (itemIds && itemIds.length !== numItems) throw new HeddleError("DATA_INVALID", `[SequentialRecommender] itemIds has ${itemIds.length} ids, the model of ${folder.label} has ${numItems} items: give one for each, in the order of its rows`);
      const stored = itemIds ? new Catalogue(itemIds, undefined) : ((await readCatalogue(folder, numItems)) ?? new Catalogue(Array.from({ length: numItems }, (_, i) => String(i + 1)), undefined));
      const known = interactions && aligned(interactions, stored);
      const histories = new Map(known?.userIds.map((userId, user) => [userId, known.histories[user]!]));
      const catalogue = known ? new Catalogue(stored.itemIds, [...countItems(known.histories, numItems)]) : stored;
      const on = await held.open(() => modelTrial(architecture, config, { batchSize: 1, length: config.maxPositionEmbeddings }));
      ({ model } = await loadModel(on, folder, { ...options, head: "next-item" }));
      features = await readFeatures(folder, on, config);
      return new SequentialRecommender({ model, catalogue, histories, features, updates, release: () => held.release() });
    } catch (error) {
      model?.dispose();
      features?.encoder.dispose();
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

  /** The model's family, which is what an evaluation calls it. */
  get name(): RecommenderConfig["modelType"] {
    return this.served.config.modelType;
  }

  /** The items' own ids. An item's number is its place here. */
  get itemIds(): readonly string[] {
    return this.served.catalogue.itemIds;
  }

  /** What it runs on. */
  get deviceDescription(): string {
    return this.model.device.description;
  }

  /** How many of the newest items of a history count. */
  get maxLength(): number {
    return itemsRead(this.served.config);
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
    const { served } = this;
    const listed = (found: readonly ScoredItem[]) => found.map(([item, score]) => ({ itemId: this.itemIds[item]!, score }));
    if (items.length === 0) {
      const popular = served.popular({ topK, filter });
      if (!popular) throw invalid(`${nothingKnown(userId)}, and this model was saved without what is popular: pass interactions to fromPretrained, or a history`);
      return listed(popular).map((item) => ({ ...item, fallback: "popularity" }));
    }
    const request = { topK, seen: new Set(excludeSeen ? items : []), filter };
    return listed(await this.inFlight.run(() => (diversity === 0 ? served.best(items, request) : served.diverse(items, request, diversity))));
  }

  /**
   * The items most like one of the catalogue, by their embeddings, without that item itself.
   *
   * @throws INVALID_ARGUMENT for an unknown item
   */
  async similarItems(itemId: string, { topK = DEFAULT_TOP_K }: { readonly topK?: number } = {}): Promise<SimilarItem[]> {
    this.assertUsable();
    if (!Number.isInteger(topK) || topK < 1) throw invalid(`topK must be a whole number of at least 1, got ${topK}`);
    const own = this.served.catalogue.numberOf(itemId);
    const found = await this.inFlight.run(() => this.served.similar(own, topK));
    return found.map(([item, score]) => ({ itemId: this.itemIds[item]!, score }));
  }

  /**
   * Which past events moved an item's score: each one's effect is the score less the score of the same history without that event
   * (leave-one-out), all worked out in one batch. What the effects one by one do not account for is stated as `remainder`.
   *
   * @throws INVALID_ARGUMENT for an unknown item, both `history` and `userId` or neither, or no event at all; ABORTED
   */
  async explain({ history, userId, itemId, signal }: ExplainRequest): Promise<Explanation> {
    this.assertUsable();
    const target = this.served.catalogue.numberOf(itemId);
    const items = this.itemsOf(history, userId);
    if (items.length === 0) throw invalid(`explain: ${nothingKnown(userId)}, so no event moved ${JSON.stringify(itemId)}: give a history of one item at least`);
    const { score, baseline, places, without } = await this.inFlight.run(() => this.served.leaveOneOut.run(items.map(rowOf), rowOf(target), signal));
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
    return this.inFlight.run(() => this.served.rank(requests, topK, signal));
  }

  /**
   * The same events by the numbers of `itemIds`, as `rankAll` takes them.
   *
   * @throws DATA_INVALID where somebody touched an item that the model does not know, with its id and how many there are
   */
  alignInteractions(interactions: Interactions): Interactions {
    return aligned(interactions, this.served.catalogue);
  }

  /**
   * New items, placed by their features: from now on they are recommended, found, explained and may be in histories, with nothing
   * trained anew. Of several calls one comes after the other, and each after the round of learning that is under way. Programs are made anew only where the model's room is used up: at the
   * first call, and then every 64 items.
   *
   * @returns what the model did not know of these items
   * @throws INVALID_ARGUMENT for a model that was trained without `itemFeatures`; DATA_INVALID for an id that exists already, a number
   * that is not finite, or an embedding of another length. Nothing is added then.
   */
  addItems(items: readonly NewItem[]): Promise<AddedItems> {
    return this.updates.betweenRounds(() => this.addNow(items));
  }

  /**
   * What visitors touched just now. Their histories grow at once, so that the next `recommend({ userId })` answers from it, without any
   * training. Events also gather until there are enough for a round of learning: a few small steps on the newest histories, mixed with
   * old ones, on a copy of the model beside it. The copy's weights serve only where NDCG@10 of users who are never learnt from is no
   * lower than before; otherwise the report says what fell, and nothing changes. `recommend` is answered all the while; a call under
   * way ends with the weights that it began with or with the new ones, never with a mixture within one list of scores.
   *
   * All of the model's own weights are learnt, the rows of its items too, as they stand: of a model that was trained with features, what
   * it knows of these stays as it was, by which `addItems` goes on placing new items; added ones then are learnt like any other.
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

  /** Serves the weights before the newest accepted round of learning again. One step back is kept, and none over an addition of items; histories keep all events. */
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

  /** Writes a folder that `fromPretrained` loads (Node): the model, its items, their features, and how often each was touched. No user's history is in it. */
  async savePretrained(folder: string, { lock, signal }: { lock?: FolderLock; signal?: AbortSignal } = {}): Promise<void> {
    this.assertUsable();
    const { files, tensors } = this.features ? featureContents(this.features) : { files: {}, tensors: [] };
    await saveModel(this.model, folder, { files: { ...files, [ITEMS_FILE]: this.served.catalogue.toJson() }, tensors }, { lock, signal });
  }

  /** Stops learning, waits until the journal is safe on the disk, and disposes. */
  async close(): Promise<void> {
    await this.updates.close();
    this.dispose();
  }

  /** Frees the model, and the device where it was opened for this recommender. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.updates.dispose();
    this.served.dispose();
    this.writer?.dispose();
    this.model.dispose();
    this.features?.encoder.dispose();
    this.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private get model(): Model {
    return this.served.model;
  }

  private async addNow(items: readonly NewItem[]): Promise<AddedItems> {
    this.assertUsable();
    const { served, features, writer } = this;
    const { extended, added } = await extend({ model: served.model, catalogue: served.catalogue, features, writer }, items);
    if (items.length === 0) return added;
    const isReplaced = tableOf(extended.model) !== tableOf(served.model);
    if (isReplaced && this.disposed) for (const part of [extended.writer!, tableOf(extended.model)]) part.dispose();
    this.assertUsable();
    this.served = served.extended(extended.model, extended.catalogue);
    ({ features: this.features, writer: this.writer } = extended);
    // Calls that began with the old table end with it.
    if (isReplaced) void this.inFlight.settled().then(() => [tableOf(served.model), served, writer].forEach((part) => part?.dispose()));
    return added;
  }

  /** Numbers of the items that a visitor touched; none of a user whom nobody knows. Throws INVALID_ARGUMENT. */
  private itemsOf(history: readonly string[] | undefined, userId: string | undefined): Int32Array {
    if ((history === undefined) === (userId === undefined)) throw invalid("wants either history, a list of item ids, or userId");
    return history ? this.served.catalogue.numbersOf(history) : (this.histories.get(userId!) ?? new Int32Array());
  }

  private assertUsable(): void {
    if (this.disposed) throw new HeddleError("DISPOSED", "[recommender] was disposed: load the model again");
  }
}

const nothingKnown = (userId: string | undefined): string => (userId === undefined ? "the history is empty" : `nothing is known of user ${JSON.stringify(userId)}`);

const invalid = (what: string) => new HeddleError("INVALID_ARGUMENT", `[recommender] ${what}`);
