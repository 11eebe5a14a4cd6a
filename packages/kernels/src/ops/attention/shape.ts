import type { Shape } from "../../program/types.ts";

export interface AttentionAttributes {
  readonly causal: boolean;
  readonly scale: number;
  /** Which optional inputs follow q, k and v, in this order. */
  readonly mask: boolean;
  readonly bias: boolean;
  /** With dropout a u32 key follows. */
  readonly dropout: { readonly probability: number; readonly stream: number } | null;
}

/** Sizes of one attention: q [batch, queries, heads, headSize], k and v [batch, keys, keyHeads, headSize]. */
export interface AttentionShape {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headSize: number;
  /** Extents of the bias's first two axes, each 1 or full. */
  readonly biasBatch: number;
  readonly biasHeads: number;
}

export function attentionShape(q: Shape, k: Shape, bias: Shape | undefined): AttentionShape {
  const [batch, queries, heads, headSize] = q as [number, number, number, number];
  const [, keys, keyHeads] = k as [number, number, number];
  return { batch, queries, keys, heads, keyHeads, headSize, biasBatch: bias?.[0] ?? 1, biasHeads: bias?.[1] ?? 1 };
}

/** Positions of the optional inputs after q, k, v; -1 where absent. */
export function optionalInputs({ mask, bias, dropout }: AttentionAttributes): { mask: number; bias: number; key: number; count: number } {
  let next = 3;
  return { mask: mask ? next++ : -1, bias: bias ? next++ : -1, key: dropout ? next++ : -1, count: next };
}
