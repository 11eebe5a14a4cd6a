import type { State, Tensor } from "@heddle/kernels";

/** Keys and values of the tokens so far, f32 [batch, capacity, keyValueHeads, headDim]. */
export interface LayerCache {
  readonly keys: State;
  readonly values: State;
}

/** What a decoder keeps between steps. Prompts of a batch that differ in length have their padding on the left. */
export interface KeyValueCache {
  /** One for each layer. */
  readonly layers: readonly LayerCache[];
  /** i32 [batch]: tokens of each row with the new ones, from `cacheLengths`. */
  readonly lengths: Tensor;
}

/** Positions that a program needs: of the cache's whole capacity, or of the text. */
export const positionsOf = (cache: KeyValueCache | undefined, length: number): number => cache?.layers[0]?.keys.type.shape[1] ?? length;
