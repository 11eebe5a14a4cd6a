import { attention, type Tensor, type TensorLike } from "@heddle/kernels";
import type { ForwardMode } from "./forward-mode.ts";
import { mergeHeads } from "./heads.ts";

/** One layer's view of what was read, [batch, source, heads, headDim]. */
export interface KeysAndValues {
  readonly keys: TensorLike;
  readonly values: TensorLike;
}

/** What a decoder attends to beside its own text: worked out once, however long the text becomes. */
export interface CrossSource {
  /** One for each layer of the decoder. */
  readonly layers: readonly KeysAndValues[];
  /** i32 [batch, source], 0 for padding. */
  readonly mask?: TensorLike | undefined;
}

/** softmax(scale · Q Kᵀ) V over the source. q [batch, length, heads, headDim] → [batch, length, heads · headDim]. */
export function crossAttention(q: Tensor, { keys, values }: KeysAndValues, mask: TensorLike | undefined, mode: ForwardMode, { scale, dropout = 0 }: { scale?: number; dropout?: number } = {}): Tensor {
  return mergeHeads(
    attention(q, keys, values, {
      ...(mask !== undefined && { mask }),
      ...(scale !== undefined && { scale }),
      ...(mode.dropoutKey && dropout > 0 && { dropout: { probability: dropout, key: mode.dropoutKey } }),
    }),
  );
}
