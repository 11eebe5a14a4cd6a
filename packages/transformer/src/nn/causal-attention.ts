import { attention, extendCache, type Tensor } from "@heddle/kernels";
import type { ForwardMode } from "./forward-mode.ts";
import { mergeHeads } from "./heads.ts";
import type { LayerCache } from "./key-value-cache.ts";

/** Where a layer's attention stands: what is there to be seen. */
export interface CausalPlace {
  /** i32 [batch, length], 0 for padding; a cache has none. */
  readonly mask?: Tensor | undefined;
  readonly cache?: (LayerCache & { readonly lengths: Tensor }) | undefined;
  /** From `rotaryTable`; undefined where positions do not turn this layer's queries and keys. */
  readonly rotary?: Tensor | undefined;
  /** Keys that a query sees, its own among them. */
  readonly window?: number | undefined;
  /** Added to the scores, [1 or batch, heads, length, length]; with a cache [.., length, capacity]. */
  readonly bias?: Tensor | undefined;
}

interface CausalAttentionOptions {
  readonly scale?: number;
  readonly softCap?: number | undefined;
  readonly dropout?: number;
}

/**
 * softmax(scale · Q Kᵀ) V per head, each token seeing itself and those before it, in the text or in the cache, which grows by k and v.
 *
 * @param q [batch, length, heads, headDim]; k, v with keyValueHeads, before rotary positions
 * @returns [batch, length, heads · headDim]
 */
export function causalAttention(q: Tensor, k: Tensor, v: Tensor, { mask, cache, rotary, window, bias }: CausalPlace, mode: ForwardMode, { scale, softCap, dropout = 0 }: CausalAttentionOptions = {}): Tensor {
  const options = {
    causal: true,
    ...(window !== undefined && { window }),
    ...(bias && { bias }),
    ...(scale !== undefined && { scale }),
    ...(softCap !== undefined && { softCap }),
    ...(mode.dropoutKey && dropout > 0 && { dropout: { probability: dropout, key: mode.dropoutKey } }),
  };
  if (!cache) return mergeHeads(attention(q, k, v, { ...options, ...(mask && { mask }), ...(rotary && { rotary: { table: rotary } }) }));
  const { lengths } = cache;
  const { keys, values } = extendCache({ keyCache: cache.keys, valueCache: cache.values, k, v, lengths, ...(rotary && { rotary: { table: rotary } }) });
  return mergeHeads(attention(q, keys, values, { ...options, lengths, ...(rotary && { rotary: { table: rotary, keys: false } }) }));
}
