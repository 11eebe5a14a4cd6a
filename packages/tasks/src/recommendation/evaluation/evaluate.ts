import { HeddleError } from "@heddle/kernels";
import { distinctItems } from "../data/distinct-items.ts";
import { countItems } from "../data/select-events.ts";
import type { Interactions } from "../interactions.ts";
import type { RankingQuery } from "../split/split.ts";
import { bootstrapMeans, type BootstrapOptions, type Interval } from "./bootstrap.ts";
import { drawCandidates } from "./candidates.ts";
import { ListMeasure, type ItemSimilarity, type ListQualities } from "./lists.ts";
import { ranksAmong, ranksOf, topItems } from "./ranking.ts";
import type { ItemRanker, ItemScorer, RankRequest } from "./recommender.ts";
import { byKey, segmentMeasures, type MeasureKey, type Measures, type SegmentMeasures, type SegmentRule } from "./segments.ts";

export interface EvaluateRecommenderOptions extends BootstrapOptions {
  /** Lengths of the lists that are measured. Default 5, 10 and 20. */
  readonly cutoffs?: readonly number[];
  /** Whether items of the query's history are no candidates. Default true. */
  readonly excludeSeen?: boolean;
  /**
   * Rank a target among this many items drawn at random, instead of among all. Faster to publish and biased: it can turn
   * the order of two models around (Krichene & Rendle 2020). The result says so.
   */
  readonly sampledCandidates?: number;
  /** Users with at most this many events in their history are cold. Default 5. */
  readonly coldUserEvents?: number;
  /** Items with at most this many events in training are cold. Default 5. */
  readonly coldItemEvents?: number;
  /** For the lists' diversity. Default: two items are alike as their training users are. */
  readonly similarity?: ItemSimilarity;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface RecommenderEvaluation {
  readonly name: string;
  /** "sampled" figures are biased and compare with nothing but figures of the same draw. */
  readonly ranking: "full" | "sampled";
  readonly numQueries: number;
  readonly numTargets: number;
  readonly numItems: number;
  readonly cutoffs: readonly number[];
  readonly measures: Measures;
  readonly intervals: Readonly<Record<MeasureKey, Interval>>;
  /** By cutoff: "10", of lists as a user would see them. */
  readonly lists: Readonly<Record<string, ListQualities>>;
  readonly segments: Readonly<Record<"coldUsers" | "warmUsers" | "coldItems" | "warmItems", SegmentMeasures>>;
  /** Targets left out because their user had touched them before, where such items are no candidates. */
  readonly repeatedTargets: number;
  /** Share of queries with a target whose score another candidate shares: there the order of ids decides. Null where the recommender ranks by itself. */
  readonly tiedShare: number | null;
  readonly seconds: number;
  /** [queries, measures in the order of `measures`], for paired comparisons. */
  readonly perQuery: Float64Array;
  /** The same where queries and everything that decides what a rank means were the same. */
  readonly queriesKey: string;
}

/** Scores of a batch, in bytes: what stands in memory at once. */
const BATCH_BYTES = 32 * 2 ** 20;

/**
 * Ranks what each user touched next among the whole catalogue, and measures the ranks and the lists. Scores are asked for in
 * batches, so that [users, items] never stands in memory.
 *
 * @param train the interactions that `recommender` learnt from: they say what is popular and who is new
 * Errors: DATA_EMPTY without a query; INVALID_ARGUMENT; VALUE_OUT_OF_RANGE for NaN scores; ABORTED.
 */
export async function evaluateRecommender(recommender: ItemScorer | ItemRanker, queries: readonly RankingQuery[], train: Interactions, options: EvaluateRecommenderOptions = {}): Promise<RecommenderEvaluation> {
  const { cutoffs = [5, 10, 20], excludeSeen = true, sampledCandidates, coldUserEvents = 5, coldItemEvents = 5, similarity } = options;
  checkOptions(cutoffs, sampledCandidates, recommender);
  const startedAt = performance.now();
  const numItems = train.itemIds.length;
  const { requests, repeatedTargets } = requestsOf(queries, excludeSeen);
  if (requests.length === 0) throw new HeddleError("DATA_EMPTY", `[${recommender.name}] there is no query to answer${repeatedTargets > 0 ? `: all ${repeatedTargets} held-out items had been touched before, pass excludeSeen: false` : ": give a split with held-out events"}`);
  const { ranks, lists, numTied } = await rankRequests(recommender, requests, numItems, Math.max(...cutoffs), options);
  const targets = requests.map((request) => request.targets);
  const counts = countItems(train.histories, numItems);
  const isColdUser = (query: number): boolean => requests[query]!.history.length <= coldUserEvents;
  const isColdItem = (item: number): boolean => counts[item]! <= coldItemEvents;
  const segment = (rule: SegmentRule): SegmentMeasures => {
    const { perQuery: _, ...measured } = segmentMeasures(targets, ranks, cutoffs, rule);
    return measured;
  };
  const { numQueries, numTargets, measures, perQuery } = segmentMeasures(targets, ranks, cutoffs);
  const intervals = bootstrapMeans(perQuery, perQuery.length / numQueries, options);
  const listMeasure = new ListMeasure(train.histories, numItems, similarity);
  return {
    name: recommender.name,
    ranking: sampledCandidates === undefined ? "full" : "sampled",
    numQueries,
    numTargets,
    numItems,
    cutoffs,
    measures: measures!,
    intervals: byKey(cutoffs, (column) => intervals[column]!),
    lists: Object.fromEntries(cutoffs.map((k) => [k, listMeasure.qualitiesAt(lists, k)])),
    segments: {
      coldUsers: segment({ query: isColdUser }),
      warmUsers: segment({ query: (query) => !isColdUser(query) }),
      coldItems: segment({ target: isColdItem }),
      warmItems: segment({ target: (item) => !isColdItem(item) }),
    },
    repeatedTargets,
    tiedShare: numTied === null ? null : numTied / numQueries,
    seconds: (performance.now() - startedAt) / 1000,
    perQuery,
    queriesKey: queriesKey(requests, [cutoffs, excludeSeen, sampledCandidates ?? "full", sampledCandidates === undefined ? "" : (options.seed ?? 42)]),
  };
}

/** FNV-1a over users, lengths of histories and targets, with the options in clear. */
function queriesKey(requests: readonly Request[], settings: readonly unknown[]): string {
  let hash = 0x811c9dc5;
  const add = (word: number): void => void (hash = Math.imul(hash ^ word, 0x01000193));
  for (const { user, history, targets } of requests) {
    add(user);
    add(history.length);
    targets.forEach(add);
  }
  return `${settings.join("/")}/${requests.length}/${(hash >>> 0).toString(16)}`;
}

interface RankedRequests {
  readonly ranks: readonly Int32Array[];
  readonly lists: readonly Int32Array[];
  /** Null where the recommender ranks by itself. */
  readonly numTied: number | null;
}

async function rankRequests(recommender: ItemScorer | ItemRanker, requests: readonly Request[], numItems: number, topK: number, { sampledCandidates, seed = 42, signal, onProgress }: EvaluateRecommenderOptions): Promise<RankedRequests> {
  const { name } = recommender;
  const ranks: Int32Array[] = [];
  const lists: Int32Array[] = [];
  let numTied = 0;
  const batchSize = Math.max(1, Math.floor(BATCH_BYTES / 4 / numItems));
  for (let begin = 0; begin < requests.length; begin += batchSize) {
    if (signal?.aborted) throw new HeddleError("ABORTED", `[${name}] the evaluation was stopped after ${begin} of ${requests.length} queries`, { cause: signal.reason });
    const batch = requests.slice(begin, begin + batchSize);
    if ("rankAll" in recommender) {
      const ranked = await recommender.rankAll(batch, topK);
      ranks.push(...ranked.ranks);
      lists.push(...ranked.top);
    } else {
      const scores = await recommender.scoreAll(batch.map(({ history }) => history));
      if (scores.length !== batch.length * numItems) throw new HeddleError("SHAPE_MISMATCH", `[${name}] scoreAll gave ${scores.length} scores, wanted ${batch.length} histories × ${numItems} items: score every item of the training catalogue`);
      batch.forEach(({ user, targets, excluded }, i) => {
        const own = scores.subarray(i * numItems, (i + 1) * numItems);
        const full = ranksOf(own, targets, excluded, name);
        if (full.isTied) numTied++;
        ranks.push(sampledCandidates === undefined ? full.ranks : ranksAmong(own, targets, drawCandidates(numItems, sampledCandidates, [targets, excluded], seed, user)));
        for (const item of excluded) own[item] = -Infinity;
        lists.push(topItems(own, topK));
      });
    }
    onProgress?.({ done: begin + batch.length, total: requests.length });
  }
  return { ranks, lists, numTied: "rankAll" in recommender ? null : numTied };
}

interface Request extends RankRequest {
  readonly user: number;
}

/** An item that may not be recommended cannot be a target: it would be a miss whatever the model thinks. */
function requestsOf(queries: readonly RankingQuery[], excludeSeen: boolean): { requests: Request[]; repeatedTargets: number } {
  const requests: Request[] = [];
  let repeatedTargets = 0;
  for (const { user, history, targets: held } of queries) {
    const excluded = excludeSeen ? distinctItems(history) : new Int32Array(0);
    const targets = held.filter((target) => !excluded.includes(target));
    repeatedTargets += held.length - targets.length;
    if (targets.length === 0) continue;
    requests.push({ user, history, targets, excluded });
  }
  return { requests, repeatedTargets };
}

function checkOptions(cutoffs: readonly number[], sampledCandidates: number | undefined, recommender: ItemScorer | ItemRanker): void {
  const { name } = recommender;
  if (cutoffs.length === 0 || !cutoffs.every((k) => Number.isInteger(k) && k > 0)) throw new HeddleError("INVALID_ARGUMENT", `[${name}] cutoffs are [${cutoffs.join(", ")}]: give whole numbers above 0`);
  if (sampledCandidates === undefined) return;
  if (!Number.isInteger(sampledCandidates) || sampledCandidates < 1) throw new HeddleError("INVALID_ARGUMENT", `[${name}] sampledCandidates is ${sampledCandidates}: give a whole number above 0, or leave it out to rank among all items`);
  if ("rankAll" in recommender) throw new HeddleError("INVALID_ARGUMENT", `[${name}] ranks among all items by itself and cannot be asked for sampled candidates: leave sampledCandidates out`);
}
