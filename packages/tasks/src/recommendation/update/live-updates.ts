import { HeddleError } from "@heddle/kernels";
import type { DataCollator } from "@heddle/training";
import { throwIfAborted } from "../../inference/encode.ts";
import type { InteractionEvent } from "../data/from-events.ts";
import { lessonsOf, type Lessons } from "../lessons.ts";
import { itemsRead } from "../question.ts";
import { Scorer } from "../scorer.ts";
import type { ServedModel } from "../served-model.ts";
import { readWeights, writeWeights, type Weights } from "../weights.ts";
import { numLabels } from "../windows.ts";
import { Guard, mostRisen } from "./guard.ts";
import { generationsOf } from "./journal-records.ts";
import { Journal, type JournalReport } from "./journal.ts";
import { Learner } from "./learner.ts";
import type { LiveHistories } from "./live-histories.ts";
import { RepeatsInCall } from "./repeats.ts";
import { batchesOf, rowsOfNew } from "./rows.ts";
import { checkEvents, findSuspects, Pace, Refusals, type CheckedEvent, type Suspects, type WaitingEvent } from "./screen.ts";
import { resolveSettings } from "./settings.ts";
import type { LearningReport, RollbackReport, UpdateOptions, UpdateReport, UpdateSettings } from "./types.ts";

/** Events that may wait; beyond it the oldest are never learnt, though their histories keep them. */
const MOST_WAITING = 65_536;

/** What one call's events came to. */
interface Taken {
  readonly accepted: number;
  readonly late: number;
  readonly newUsers: number;
}

/**
 * Keeps a recommender that is being served up to date: histories at once, weights in rounds, one at a time, on a copy beside the served
 * model that takes their place only where the guard allows it.
 */
export class LiveUpdates {
  private readonly settings: Required<UpdateSettings>;
  private readonly pace: Pace;
  private readonly guard: Guard;
  private learner: { readonly learner: Learner; readonly scorer: Scorer; readonly of: ServedModel } | undefined;
  private waiting: WaitingEvent[] = [];
  private previous: { readonly weights: Weights; readonly generation: number; readonly numItems: number } | undefined;
  private generation = 0;
  /** Generations are numbered without a gap and never twice, though some were gone back from. */
  private lastGeneration = 0;
  private round = 0;
  private numTaken = 0;
  private journal: Journal | undefined;
  private isOpening = false;
  private intake: Promise<unknown> = Promise.resolve();
  private learning: Promise<unknown> = Promise.resolve();
  private readonly stop = new AbortController();

  /**
   * @param current what serves at the time, as items may be added
   * @throws INVALID_ARGUMENT
   */
  constructor(
    private readonly current: () => ServedModel,
    private readonly histories: LiveHistories,
    settings: UpdateSettings = {},
  ) {
    this.settings = resolveSettings(settings, this.served.catalogue.size);
    this.pace = new Pace(this.settings.maxEventsPerMinute);
    this.guard = new Guard(histories.atStart, { ...this.settings, maxLength: itemsRead(this.served.config) });
  }

  private get served(): ServedModel {
    return this.current();
  }

  async update(events: readonly InteractionEvent[], { learn = "auto", signal }: UpdateOptions): Promise<UpdateReport> {
    throwIfAborted(signal, "SequentialRecommender.update");
    const checked = checkEvents(events, this.served.catalogue);
    const refusals = new Refusals();
    // Without a journal nothing is waited for: the very next request is answered from these events.
    const taken = this.journal || this.isOpening ? await this.inTurn(() => this.takeDurably(checked, refusals)) : this.take(this.sift(checked, refusals));
    const due = learn === "now" || (learn === "auto" && this.waiting.length >= this.settings.eventsPerRound);
    const learning = due ? await this.next(() => this.learnWaiting(refusals, signal)) : null;
    return { ...taken, refused: refusals.report, waiting: this.waiting.length, learning };
  }

  /** Back to the weights before the round that was accepted last; once, as no older ones are kept. */
  rollback(): Promise<RollbackReport> {
    return this.next(async () => {
      // Weights from before items were added know nothing of these.
      if (this.previous?.numItems !== this.served.catalogue.size) return { generation: this.generation, changed: false };
      const { weights, generation } = this.previous;
      await this.journal?.append({ type: "rollback", generation });
      this.serve(weights, generation);
      this.previous = undefined;
      await this.journal?.keepWeights([generation]);
      return { generation, changed: true };
    });
  }

  /** Runs what replaces the model's table, such as an addition of items, while nothing learns from it. */
  betweenRounds<T>(work: () => Promise<T>): Promise<T> {
    return this.next(work);
  }

  /** Goes on where a folder left off, and writes everything to it from now on. */
  openJournal(folder: string): Promise<JournalReport> {
    if (this.journal || this.isOpening) throw new HeddleError("INVALID_ARGUMENT", "[SequentialRecommender.openJournal] a journal is open already: close the recommender first");
    if (this.numTaken > 0) throw new HeddleError("INVALID_ARGUMENT", `[SequentialRecommender.openJournal] ${this.numTaken} events came before the journal was opened and would be missing from it: open it before the first update`);
    this.isOpening = true;
    return this.inTurn(() => this.next(() => this.replay(folder))).finally(() => (this.isOpening = false));
  }

  private async replay(folder: string): Promise<JournalReport> {
    const { model, catalogue } = this.served;
    const { journal, records, tornBytes } = await Journal.open(folder, model);
    try {
      // Whatever can fail comes before the first change.
      const numbered = records.map((record) => (record.type === "events" ? { type: record.type, events: record.events.map(([userId, itemId, time]): CheckedEvent => ({ userId, item: catalogue.numberOf(itemId), time: time ?? undefined })) } : record));
      const { current, previous, last } = generationsOf(records);
      const read = (generation: number) => (generation === 0 ? readWeights(model) : journal.readWeights(generation, model));
      const [before, now] = [previous === current ? null : await read(previous), current === 0 ? null : await read(current)];
      await journal.keepWeights([previous, current]);
      for (const record of numbered) {
        if (record.type === "events") this.take(record.events);
        if (record.type !== "round") continue;
        this.round++;
        const learnt = this.waiting.splice(0, this.waiting.length - record.left);
        if (record.accepted) for (const { userId } of learnt) this.histories.trust(userId);
      }
      if (before) this.previous = { weights: before, generation: previous, numItems: catalogue.size };
      if (now) this.serve(now, current);
      this.lastGeneration = last;
      this.journal = journal;
      return { numEvents: this.numTaken, generation: current, waiting: this.waiting.length, tornBytes };
    } catch (error) {
      await journal.close();
      throw error;
    }
  }

  /** Once what is being written and learnt is done. */
  async close(): Promise<void> {
    this.stop.abort();
    await Promise.allSettled([this.intake, this.learning]);
    await this.journal?.close();
    this.journal = undefined;
  }

  dispose(): void {
    this.stop.abort();
    this.disposeLearner();
    void this.journal?.close();
  }

  /** Events that histories may have, in order. */
  private sift(events: readonly CheckedEvent[], refusals: Refusals): CheckedEvent[] {
    const { histories } = this;
    const { catalogue } = this.served;
    const kept: CheckedEvent[] = [];
    const repeats = new RepeatsInCall();
    for (const event of events) {
      const { userId, item, time } = event;
      if (repeats.has(event) || (!repeats.knows(userId, time) && histories.repeats(userId, item, time))) refusals.add("duplicate", userId, catalogue.itemIds[item]!);
      else if (this.pace.isBot(userId) || this.pace.exceeds(event)) refusals.add("rate", userId);
      else {
        repeats.add(event);
        kept.push(event);
      }
    }
    return kept;
  }

  private take(events: readonly CheckedEvent[]): Taken {
    const { histories } = this;
    let [late, newUsers] = [0, 0];
    for (const { userId, item, time } of events) {
      const before = histories.get(userId);
      if (!before) newUsers++;
      if (time !== undefined && time < histories.lastTime(userId)) late++;
      if (this.guard.watches(userId)) this.guard.add(before ?? new Int32Array(), item);
      const place = histories.add(userId, item, time);
      if (!this.guard.watches(userId)) this.waiting.push({ userId, item, place });
    }
    if (this.waiting.length > MOST_WAITING) this.waiting.splice(0, this.waiting.length - MOST_WAITING);
    this.numTaken += events.length;
    return { accepted: events.length, late, newUsers };
  }

  private async takeDurably(checked: readonly CheckedEvent[], refusals: Refusals): Promise<Taken> {
    const events = this.sift(checked, refusals);
    const { itemIds } = this.served.catalogue;
    if (events.length > 0) await this.journal?.append({ type: "events", events: events.map(({ userId, item, time }) => [userId, itemIds[item]!, time ?? null]) });
    return this.take(events);
  }

  /** Learns from all that waits. Null where that holds nothing to learn. */
  private async learnWaiting(refusals: Refusals, given: AbortSignal | undefined): Promise<LearningReport | null> {
    const startMs = performance.now();
    const signal = given ? AbortSignal.any([given, this.stop.signal]) : this.stop.signal;
    throwIfAborted(signal, "SequentialRecommender.update");
    const { histories } = this;
    const { catalogue } = this.served;
    const [events, round] = [[...this.waiting], this.round++];
    const suspects = findSuspects(events, histories, this.countsBefore(), this.settings.maxItemShare);
    for (const { userId, item } of events) {
      if (suspects.items.has(item)) refusals.add("item-surge", userId, catalogue.itemIds[item]!);
      else if (suspects.users.has(userId)) refusals.add("identical-newcomers", userId, catalogue.itemIds[item]!);
    }
    const { windowsOf, collator } = lessonsOf(this.served.config, { numNegatives: this.settings.numNegatives, fewShapes: true });
    const rows = this.rowsOf(events, windowsOf, suspects);
    if (rows.length === 0) {
      await this.settle(events, null);
      return null;
    }
    const numEvents = rows.reduce((sum, row) => sum + numLabels(row), 0);
    const unchanged = (reason: string): LearningReport => ({ accepted: false, reason, numEvents, numSteps: 0, before: NOTHING, after: NOTHING, risen: null, generation: this.generation, seconds: (performance.now() - startMs) / 1000 });
    if (!this.guard.isReady) return unchanged("too few users are held back to judge new weights by: give interactions to fromPretrained, or a larger guardShare; the events wait");
    const { learner, scorer } = this.presentLearner(collator);
    const old = [...histories.trusted()].filter(([userId, { length }]) => length >= 2 && !this.guard.watches(userId)).map(([, history]) => history);
    const batches = batchesOf(rows, old, { ...this.settings, windowsOf }, round);
    const view = (by: Scorer) => this.guard.view((requests, topK) => this.served.rank(requests, topK, signal, by), suspects.items);
    const before = await view(this.served.scorer);
    await learner.learn(batches, round, signal);
    const after = await view(scorer);
    const reason = this.guard.verdict(before, after, (item) => catalogue.itemIds[item]!);
    const risen = mostRisen(before, after);
    await this.settle(events, reason === null ? await readWeights(learner.model) : null);
    return { accepted: reason === null, ...(reason !== null && { reason }), numEvents, numSteps: batches.length, before: before.measures, after: after.measures, risen: risen && { itemId: catalogue.itemIds[risen.item]!, from: risen.from, to: risen.to }, generation: this.generation, seconds: (performance.now() - startMs) / 1000 };
  }

  /** One for the items that there are. */
  private presentLearner(collator: DataCollator): { readonly learner: Learner; readonly scorer: Scorer } {
    const { served } = this;
    if (this.learner?.of !== served) this.disposeLearner();
    if (!this.learner) {
      const learner = new Learner(served.model, { ...this.settings, collator });
      this.learner = { learner, scorer: new Scorer(learner.model), of: served };
    }
    return this.learner;
  }

  private disposeLearner(): void {
    this.learner?.scorer.dispose();
    this.learner?.learner.dispose();
    this.learner = undefined;
  }

  /** Windows of all users who have something to learn from. */
  private rowsOf(events: readonly WaitingEvent[], windowsOf: Lessons["windowsOf"], { items, users }: Suspects) {
    const first = new Map<string, number>();
    for (const { userId, place } of events) if (!users.has(userId) && !this.pace.isBot(userId)) first.set(userId, Math.min(place, first.get(userId) ?? Infinity));
    return [...first].flatMap(([userId, from]) => rowsOfNew(this.histories.get(userId)!, from, windowsOf, items));
  }

  /** How often each item was touched before any update. */
  private countsBefore(): readonly number[] {
    const { counts, size } = this.served.catalogue;
    return counts ?? Array.from({ length: size }, () => 0);
  }

  /** Ends a round: its events wait no longer, and the weights, where there are new ones, serve. Durable before it shows. */
  private async settle(events: readonly WaitingEvent[], weights: Weights | null): Promise<void> {
    const generation = weights ? this.lastGeneration + 1 : this.generation;
    const done = new Set(events);
    const left = () => this.waiting.filter((event) => !done.has(event));
    const { journal } = this;
    if (journal) {
      if (weights) await journal.saveWeights(generation, this.learner!.learner.model, this.served.catalogue.size);
      await this.inTurn(async () => {
        await journal.append({ type: "round", accepted: weights !== null, generation, left: left().length });
        this.waiting = left();
      });
    } else this.waiting = left();
    if (!weights) return;
    for (const { userId } of events) this.histories.trust(userId);
    this.previous = { weights: await readWeights(this.served.model), generation: this.generation, numItems: this.served.catalogue.size };
    this.lastGeneration = generation;
    this.serve(weights, generation);
    await this.journal?.keepWeights([this.previous.generation, generation]);
  }

  private serve(weights: Weights, generation: number): void {
    writeWeights(this.served.model, weights);
    this.served.scorer.weightsChanged();
    this.generation = generation;
  }

  /** One after the other: what one call writes to the journal stands before what the next one does. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.intake.then(work, work);
    this.intake = result.catch(() => undefined);
    return result;
  }

  private next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.learning.then(work, work);
    this.learning = result.catch(() => undefined);
    return result;
  }
}

const NOTHING = { earlier: null, recent: null };
