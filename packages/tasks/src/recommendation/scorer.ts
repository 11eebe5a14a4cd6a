import { add, asTensor, cast, compile, div, embedding, equal, less, matmul, maximum, mul, reshape, slice, sqrt, sub, sum, topK, where, assign, type CompiledFunction, type HostTensor, type State, type Tensor, type TensorLike } from "@heddle/kernels";
import { scoresOf, type Model, type SASRecConfig } from "@heddle/transformer";

/** Numbers below any score. */
const LOWEST = -3.4e38;
/** Scores of a batch of users that are in memory at once. */
const SCORES = 4 * 2 ** 20;
const MAX_USERS = 256;

/** The best rows of one user's scores, best first. */
export interface BestRows {
  readonly rows: Int32Array;
  readonly scores: Float32Array;
}

/** A model's programs: from histories to the best items, or to the places of known ones, without scores that leave the device. */
export class Scorer {
  private readonly best = new Map<number, CompiledFunction>();
  private readonly bestAllowed = new Map<number, CompiledFunction>();
  private readonly alike = new Map<number, CompiledFunction>();
  private readonly outranking: CompiledFunction;
  private inverseNorms: State | undefined;

  constructor(private readonly model: Model) {
    this.outranking = compile(model.device, "rank-items", ({ inputIds, targets, targetPlaces, excludedPlaces }) => this.countAbove(inputIds!, targets!, targetPlaces!, excludedPlaces!));
  }

  private get config(): SASRecConfig {
    return this.model.config as SASRecConfig;
  }

  private get table(): State {
    return this.model.parameters.get("item_embeddings.weight")!;
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
    const inputIds = this.window([history]);
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

  /** For each user how many rows rank before the target: score higher, or the same and stand before it. At most `usersAtOnce` users. */
  async rowsAbove(histories: readonly ArrayLike<number>[], targets: ArrayLike<number>, excluded: readonly ReadonlySet<number>[], mostExcluded: number): Promise<Float32Array> {
    const users = this.usersAtOnce;
    const { vocabSize } = this.config;
    const targetOf = (user: number) => (user < targets.length ? targets[user]! : 0);
    const excludedPlaces = new Int32Array(users * mostExcluded);
    for (let user = 0; user < users; user++) {
      // What does not outrank the target is no loss: the target itself fills the places left.
      const own = excludedPlaces.subarray(user * mostExcluded, (user + 1) * mostExcluded).fill(user * vocabSize + targetOf(user));
      let i = 0;
      for (const row of excluded[user] ?? []) own[i++] = user * vocabSize + row;
    }
    const column = (of: (user: number) => number): HostTensor => ({ shape: [users, 1], data: Int32Array.from({ length: users }, (_, user) => of(user)) });
    const { above } = await this.outranking.run({
      inputIds: this.window(histories, users),
      targets: column(targetOf),
      targetPlaces: column((user) => user * vocabSize + targetOf(user)),
      excludedPlaces: { shape: [users, mostExcluded], data: excludedPlaces },
    });
    return (above!.data as Float32Array).subarray(0, histories.length);
  }

  dispose(): void {
    for (const compiled of [...this.best.values(), ...this.bestAllowed.values(), ...this.alike.values(), this.outranking]) compiled.dispose();
    this.inverseNorms?.dispose();
  }

  private topOf(cache: Map<number, CompiledFunction>, k: number, name: string, fn: (inputs: Record<string, Tensor>) => { values: Tensor; indices: Tensor }): CompiledFunction {
    let compiled = cache.get(k);
    if (!compiled) cache.set(k, (compiled = compile(this.model.device, `${name}-${k}`, fn)));
    return compiled;
  }

  /** The newest items of each history, padded on the left to the model's window. */
  window(histories: readonly ArrayLike<number>[], rows = histories.length): HostTensor {
    const { maxPositionEmbeddings: length, padTokenId } = this.config;
    const data = new Int32Array(rows * length).fill(padTokenId);
    for (const [user, history] of histories.entries()) {
      const kept = Math.min(history.length, length);
      for (let i = 0; i < kept; i++) data[(user + 1) * length - kept + i] = history[history.length - kept + i]!;
    }
    return { shape: [rows, length], data };
  }

  /** How well each row would come next. inputIds [users, length] → [users, vocabulary]. */
  private scores(inputIds: Tensor): Tensor {
    const { decoder } = this.model.forward({ inputIds });
    const [users, , size] = decoder!.hidden.shape as [number, number, number];
    return scoresOf(decoder!, reshape(slice(decoder!.hidden, { axis: 1, begin: -1 }), [users, size]));
  }

  /** targets i32 [users, 1]; places i32 [users, ...] in the scores of all users one after the other. */
  private countAbove(inputIds: Tensor, targets: Tensor, targetPlaces: Tensor, excludedPlaces: Tensor): Record<string, Tensor> {
    const scores = this.scores(inputIds);
    const [users, count] = scores.shape as [number, number];
    const flat = reshape(scores, [users * count, 1]);
    const at = (places: Tensor) => reshape(embedding(flat, places), places.shape);
    const target = at(targetPlaces);
    /** 1 where something of this score at this place ranks before the target. */
    const isAbove = (score: TensorLike, row: TensorLike, targetRow: TensorLike) => add(less(target, score), mul(equal(target, score), less(row, targetRow)));
    const rows = asTensor({ shape: [1, count], data: Float32Array.from({ length: count }, (_, row) => row) });
    const all = sum(isAbove(scores, rows, cast(targets, "f32")), { axes: [1] });
    // Both kinds of places count a user's rows from the same one, so that they compare as rows do.
    const excluded = sum(isAbove(at(excludedPlaces), excludedPlaces, targetPlaces), { axes: [1] });
    return { above: sub(all, excluded) };
  }

  /** 1 / |row| of each row of the table, worked out once. */
  private async norms(): Promise<State> {
    if (this.inverseNorms) return this.inverseNorms;
    const [count] = this.table.type.shape as [number, number];
    const state = this.model.device.createState("inverse norms of items", { dtype: "f32", shape: [count] });
    using compiled = compile(this.model.device, "item-norms", () => {
      const table = asTensor(this.table);
      assign(state, div(1, maximum(sqrt(sum(mul(table, table), { axes: [1] })), 1e-30)));
      return {};
    });
    await compiled.run({});
    this.inverseNorms = state;
    return state;
  }
}

function bestRows({ indices, values }: Record<string, HostTensor>): BestRows {
  return { rows: indices!.data as Int32Array, scores: values!.data as Float32Array };
}
