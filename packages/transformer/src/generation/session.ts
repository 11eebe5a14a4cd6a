import { cacheLengths, compile, embedding, assign, reshape, slice, type CompiledFunction, type HostTensor, type RunInputs, type State, type Tensor, type TensorType } from "@heddle/kernels";
import type { Model } from "../models/model.ts";
import type { LayerCache } from "../nn/key-value-cache.ts";
import { throwIfAborted } from "./abort.ts";
import type { EncodedSource } from "./source.ts";
import { scoresOf } from "../nn/vocabulary-scores.ts";

/** What to make of the scores of each row's next token, on the device. */
export interface Pick {
  /** Equal names are equal functions. */
  readonly name: string;
  /** logits f32 [rows, vocabulary]. */
  choose(logits: Tensor, inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor>;
}

/** Most tokens that are read at once: a longer prompt comes in pieces, so that a few plans serve all lengths. */
const LONGEST_PIECE = 256;
const PIECES = [1, 8, 16, 32, 64, 128, LONGEST_PIECE];

/** The lengths in which so many tokens are read: the first one rounded up to a usual length. */
function piecesOf(tokens: number, capacity: number): number[] {
  const rest = tokens % LONGEST_PIECE;
  const full = new Array<number>(Math.floor(tokens / LONGEST_PIECE)).fill(LONGEST_PIECE);
  return rest === 0 ? full : [Math.min(PIECES.find((piece) => piece >= rest)!, capacity), ...full];
}

/**
 * Several texts that grow token by token over one model: their keys and values in caches of fixed capacity, overwritten in place,
 * and the programs that extend them. One program serves all steps, as the place of the new token is an input.
 */
export class DecodingSession {
  private readonly layers: readonly LayerCache[];
  private readonly compiled = new Map<string, CompiledFunction>();
  private readonly states: readonly State[];
  /** The tokens of each row that the caches hold. */
  private readonly held: number[][];

  constructor(
    readonly model: Model,
    readonly rows: number,
    readonly capacity: number,
    /** What a sequence-to-sequence model has read; its owner's to dispose of. */
    readonly source?: EncodedSource,
  ) {
    const { layers, heads, headDim } = model.cacheShape();
    const type: TensorType = { dtype: "f32", shape: [rows, capacity, heads, headDim] };
    const made: State[] = [];
    const make = (name: string) => {
      const state = model.device.createState(name, type);
      made.push(state);
      return state;
    };
    this.states = made;
    try {
      this.layers = Array.from({ length: layers }, (_, i) => ({ keys: make(`cache.${i}.keys`), values: make(`cache.${i}.values`) }));
    } catch (error) {
      this.dispose();
      throw error;
    }
    this.held = Array.from({ length: rows }, () => []);
  }

  /**
   * Reads the new tokens of each row into the caches, at least one a row, and makes of the scores after the last ones what `pick` says.
   *
   * @param tokens of each row; rows may differ in number
   * @param inputs those of `pick`
   * @throws INVALID_ARGUMENT where a row would outgrow the capacity, ABORTED between two pieces
   */
  async feed(tokens: readonly (readonly number[])[], pick: Pick, inputs: RunInputs = {}, signal?: AbortSignal): Promise<Record<string, HostTensor>> {
    const pieces = piecesOf(Math.max(...tokens.map(({ length }) => length)), this.capacity);
    const total = pieces.reduce((sum, piece) => sum + piece, 0);
    const texts = tokens.map((row, r) => [...this.held[r]!, ...row]);
    let end = 0;
    let outputs: Record<string, HostTensor> = {};
    for (const [i, piece] of pieces.entries()) {
      throwIfAborted(signal);
      const begin = end;
      end += piece;
      const ids = new Int32Array(this.rows * piece);
      // The last tokens of all rows stand in the last column. Columns too many on the left are earlier tokens once more, then padding.
      const lengths = texts.map((text, r) => {
        const start = text.length - total;
        for (let column = Math.max(begin, -start); column < end; column++) ids[r * piece + column - begin] = text[start + column]!;
        return Math.max(0, start + end);
      });
      const isLast = i === pieces.length - 1;
      const run = { inputIds: { shape: [this.rows, piece], data: ids }, lengths: cacheLengths(lengths, this.capacity), ...(isLast && inputs) };
      outputs = await (isLast ? this.step(pick) : this.read()).run(run, isLast ? {} : { read: false });
    }
    tokens.forEach((row, r) => this.held[r]!.push(...row));
    return outputs;
  }

  /** Row i goes on as row `from[i]` was; for beams. */
  async reorder(from: readonly number[]): Promise<void> {
    if (from.every((row, i) => row === i)) return;
    const compiled = this.function("reorder", ({ rows }) => {
      for (const state of this.states) {
        const { shape } = state.type;
        assign(state, reshape(embedding(reshape(state, [this.rows, -1]), rows!), shape));
      }
      return {};
    });
    await compiled.run({ rows: { shape: [from.length], data: Int32Array.from(from) } }, { read: false });
    const old = [...this.held];
    from.forEach((row, i) => (this.held[i] = [...old[row]!]));
  }

  /** Keeps of a row what it has in common with the beginning of `text`, less the last token of it; gives the rest of `text`, to be fed. */
  goOnWith(row: number, text: readonly number[]): readonly number[] {
    const held = this.held[row]!;
    const different = held.findIndex((token, i) => i === text.length - 1 || token !== text[i]);
    if (different >= 0) held.length = different;
    return text.slice(held.length);
  }

  /** Forgets all texts. */
  reset(): void {
    for (const text of this.held) text.length = 0;
  }

  /** Frees the caches and the plans. */
  dispose(): void {
    for (const compiled of this.compiled.values()) compiled.dispose();
    this.compiled.clear();
    for (const state of this.states) state.dispose();
  }

  /** Tokens whose scores nobody wants. */
  private read(): CompiledFunction {
    return this.function("read", ({ inputIds, lengths }) => {
      this.model.decode(inputIds!, { layers: this.layers, lengths: lengths! }, this.source);
      return {};
    });
  }

  private step({ name, choose }: Pick): CompiledFunction {
    return this.function(`step/${name}`, ({ inputIds, lengths, ...inputs }) => {
      const decoder = this.model.decode(inputIds!, { layers: this.layers, lengths: lengths! }, this.source);
      const logits = scoresOf(decoder, slice(decoder.hidden, { axis: 1, begin: -1 }));
      return choose(reshape(logits, [this.rows, -1]), inputs);
    });
  }

  private function(name: string, fn: (inputs: Record<string, Tensor>) => Record<string, Tensor>): CompiledFunction {
    let compiled = this.compiled.get(name);
    if (!compiled) {
      compiled = compile(this.model.device, name, fn);
      this.compiled.set(name, compiled);
    }
    return compiled;
  }
}
