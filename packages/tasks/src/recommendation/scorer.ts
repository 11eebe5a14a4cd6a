import { HeddleError, add, asTensor, assign, cast, compile, concat, div, embedding, equal, less, matmul, maximum, mul, reshape, scatterAdd, slice, sqrt, sum, topK, where, type CompiledFunction, type HostTensor, type State, type Tensor } from "@heddle/kernels";
import { scoresOf, type Model, type RecommenderConfig } from "@heddle/transformer";
import { tableOf } from "./item-table.ts";
import { questions } from "./question.ts";

/** Numbers below any score. */
const LOWEST = -3.4e38;
/** Scores of a batch of users that are in memory at once. */
const SCORES = 4 * 2 ** 20;
const MAX_USERS = 256;
/** Places for rows that are left out, so that a handful of programs serves users with few and with many. */
const EXCLUDED_STEP = 4;
const LEAST_EXCLUDED = 64;

/** The best rows of one user's scores, best first. */
export interface BestRows {
  readonly rows: Int32Array;
  readonly scores: Float32Array;
}

/** Rows that somebody touched, and those whose ranks are asked for. */
export interface RowRanking {
  /** Rows of the table, oldest first; one at least. */
  readonly history: ArrayLike<number>;
  readonly targets: Int32Array;
  /** Rows that are no candidates, none of them a target, each once. */
  readonly excluded: Int32Array;
}

export interface RankedRows {
  /** For each target: 1 where nothing ranks before it. */
  readonly ranks: Int32Array;
  /** The best candidates, best first. */
  readonly top: Int32Array;
}

/** A model's programs: from histories to the best items, or to the places of known ones, without scores that leave the device. */
export class Scorer {
  private readonly best = new Map<number, CompiledFunction>();
  private readonly bestAllowed = new Map<number, CompiledFunction>();
  private readonly alike = new Map<number, CompiledFunction>();
  private readonly ranking = new Map<number, CompiledFunction>();
  private inverseNorms: State | undefined;
  private normsWritten: Promise<unknown> | undefined;

  constructor(private readonly model: Model) {}

  private get config(): RecommenderConfig {
    return this.model.config as RecommenderConfig;
  }

  private get table(): State {
    return tableOf(this.model);
  }

  /** Users whose scores are worked out together. */
  get usersAtOnce(): number {
    return Math.max(1, Math.min(MAX_USERS, Math.floor(SCORES / this.config.vocabSize)));
  }

  /**
   * The k rows of the table that score highest for a history, of equal ones the lower first.
   *
   * @param history rows of the table, oldest first
   * @param allowed f32 [vocabulary], 0 for rows that may not come; without it all may, padding's too
   */
  async bestFor(history: ArrayLike<number>, k: number, allowed?: Float32Array): Promise<BestRows> {
    const inputIds = questions(this.config, [history]);
    if (!allowed) return bestRows(await this.topOf(this.best, k, "recommend", ({ inputIds: ids }) => topK(this.scores(ids!), k)).run({ inputIds }));
    const compiled = this.topOf(this.bestAllowed, k, "recommend-allowed", ({ inputIds: ids, allowed: may }) => topK(where(may!, this.scores(ids!), LOWEST), k));
    const { rows, scores } = bestRows(await compiled.run({ inputIds, allowed: { shape: [1, allowed.length], data: allowed } }));
    const kept = scores.findIndex((score) => score === Math.fround(LOWEST));
    return kept < 0 ? { rows, scores } : { rows: rows.subarray(0, kept), scores: scores.subarray(0, kept) };
  }

  /** The k rows whose embeddings point in the most similar direction, by their cosine; the row itself among them. */
  async bestLike(row: number, k: number): Promise<BestRows> {
    const norms = await this.norms();
    const compiled = this.topOf(this.alike, k, "similar-items", ({ row: number }) => {
      const [count] = this.table.type.shape as [number, number];
      const places = reshape(number!, [1]);
      const length = embedding(reshape(asTensor(norms), [count, 1]), places);
      const direction = mul(embedding(this.table, places), length);
      return topK(mul(matmul(direction, this.table, { transposeB: true }), reshape(asTensor(norms), [1, count])), k);
    });
    return bestRows(await compiled.run({ row: { shape: [1], data: Int32Array.of(row) } }));
  }

  /**
   * Each user's targets among all rows that are not left out, of equal scores the lower row first, and the best k of these rows.
   * At most `usersAtOnce` users.
   *
   * Error: VALUE_OUT_OF_RANGE where a target's score is NaN, which would rank before everything.
   */
  async rank(users: readonly RowRanking[], k: number): Promise<RankedRows[]> {
    const [places, { vocabSize }] = [this.usersAtOnce, this.config];
    const columns = users.reduce((most, { targets }) => Math.max(most, targets.length), 1);
    const mostExcluded = users.reduce((most, { excluded }) => Math.max(most, excluded.length), 1);
    let width = LEAST_EXCLUDED;
    while (width < mostExcluded) width *= EXCLUDED_STEP;
    const targets = new Int32Array(places * columns);
    // -1 is outside of all scores.
    const excludedPlaces = new Int32Array(places * width).fill(-1);
    for (const [user, { targets: own, excluded }] of users.entries()) {
      targets.set(own, user * columns);
      for (const [i, row] of excluded.entries()) excludedPlaces[user * width + i] = user * vocabSize + row;
    }
    const compiled = this.topOf(this.ranking, Math.min(k, vocabSize), "rank-items", (inputs) => this.ranked(inputs, Math.min(k, vocabSize)));
    const { above, own, best, bestScores } = await compiled.run({
      inputIds: questions(this.config, users.map(({ history }) => history), places),
      targets: { shape: [places, columns], data: targets },
      targetPlaces: { shape: [places, columns], data: targets.map((row, i) => Math.floor(i / columns) * vocabSize + row) },
      excludedPlaces: { shape: [places * width], data: excludedPlaces },
    });
    return users.map(({ targets: wanted }, user) => {
      const ofUser = (tensor: HostTensor) => tensor.data.subarray(user * tensor.shape[1]!, (user + 1) * tensor.shape[1]!);
      const [counts, scores] = [ofUser(above!), ofUser(own!)];
      const broken = wanted.findIndex((_, i) => Number.isNaN(scores[i]!));
      if (broken >= 0) throw new HeddleError("VALUE_OUT_OF_RANGE", `[recommender] the score of item number ${wanted[broken]! - 1} is NaN: a model that diverged cannot be ranked; train it anew with a lower learning rate`);
      const kept = best ? ofUser(bestScores!).findIndex((score) => score === Math.fround(LOWEST)) : 0;
      return { ranks: wanted.map((_, i) => counts[i]! + 1), top: best ? Int32Array.from(ofUser(best).subarray(0, kept < 0 ? undefined : kept)) : new Int32Array(0) };
    });
  }

  /** Says that the model's weights, or some rows of its table, are not what they were. */
  weightsChanged(): void {
    this.normsWritten = undefined;
  }

  dispose(): void {
    for (const compiled of [...this.best.values(), ...this.bestAllowed.values(), ...this.alike.values(), ...this.ranking.values()]) compiled.dispose();
    this.inverseNorms?.dispose();
  }

  private topOf(cache: Map<number, CompiledFunction>, k: number, name: string, fn: (inputs: Record<string, Tensor>) => Record<string, Tensor>): CompiledFunction {
    let compiled = cache.get(k);
    if (!compiled) cache.set(k, (compiled = compile(this.model.device, `${name}-${k}`, fn)));
    return compiled;
  }

  /** How well each row would come next. inputIds [users, length] → [users, vocabulary]. */
  private scores(inputIds: Tensor): Tensor {
    const { decoder } = this.model.forward({ inputIds });
    const [users, , size] = decoder!.hidden.shape as [number, number, number];
    return scoresOf(decoder!, reshape(slice(decoder!.hidden, { axis: 1, begin: -1 }), [users, size]));
  }

  /**
   * inputIds [users, length]; targets i32 [users, columns]; targetPlaces the same in the scores of all users one after the other,
   * excludedPlaces i32 [...] too.
   */
  private ranked({ inputIds, targets, targetPlaces, excludedPlaces }: Record<string, Tensor>, k: number): Record<string, Tensor> {
    const all = this.scores(inputIds!);
    const [users, count] = all.shape as [number, number];
    const [places] = excludedPlaces!.shape as [number];
    const isExcluded = reshape(scatterAdd(excludedPlaces!, { shape: [places, 1], data: new Float32Array(places).fill(1) }, users * count), [users, count]);
    const scores = where(less(0, isExcluded), LOWEST, all);
    const own = reshape(embedding(reshape(scores, [users * count, 1]), targetPlaces!), targets!.shape);
    const rows = asTensor({ shape: [1, count], data: Float32Array.from({ length: count }, (_, row) => row) });
    const ownRows = cast(targets!, "f32");
    const above = Array.from({ length: targets!.shape[1]! }, (_, column) => {
      const [score, row] = [own, ownRows].map((values) => slice(values, { axis: 1, begin: column, end: column + 1 })) as [Tensor, Tensor];
      return sum(add(less(score, scores), mul(equal(score, scores), less(rows, row))), { axes: [1], keepDims: true });
    });
    const best = k > 0 ? topK(scores, k) : undefined;
    return { above: concat(above, 1), own, ...(best && { best: best.indices, bestScores: best.values }) };
  }

  /** 1 / |row| of each row of the table, worked out anew only where the weights changed, also while it was. */
  private async norms(): Promise<State> {
    const [count] = this.table.type.shape as [number, number];
    const state = (this.inverseNorms ??= this.model.device.createState("inverse norms of items", { dtype: "f32", shape: [count] }));
    let written: Promise<unknown>;
    do await (written = this.normsWritten ??= this.writeNorms(state));
    while (written !== this.normsWritten);
    return state;
  }

  private async writeNorms(state: State): Promise<void> {
    using compiled = compile(this.model.device, "item-norms", () => {
      const table = asTensor(this.table);
      assign(state, div(1, maximum(sqrt(sum(mul(table, table), { axes: [1] })), 1e-30)));
      return {};
    });
    await compiled.run({});
  }
}

function bestRows({ indices, values }: Record<string, HostTensor>): BestRows {
  return { rows: indices!.data as Int32Array, scores: values!.data as Float32Array };
}
