import { add, broadcastTo, cast, constant, cumulativeSum, embedding, maximum, reshape, slice, sub, type Tensor, type TensorLike } from "@heddle/kernels";
import type { KeyValueCache } from "./key-value-cache.ts";

/** The first `length` rows of a learned position table: positions 0, 1, 2 … need no gather. table [max, size] → [1, length, size]. */
export function firstPositions(table: TensorLike, length: number, size: number): Tensor {
  return reshape(slice(table, { axis: 0, begin: 0, end: length }), [1, length, size]);
}

/**
 * Rows of a position table for a text's tokens, or for the newest `length` tokens of a cache. table [positions, size] → [1 or batch,
 * length, size].
 *
 * @param offset the row of position 0
 */
export function causalPositions(table: TensorLike, length: number, cache: KeyValueCache | undefined, offset = 0): Tensor {
  if (cache) return embedding(table, cast(add(cachePlaces(cache, length), offset), "i32"));
  const rows = slice(table, { axis: 0, begin: offset, end: offset + length });
  return reshape(rows, [1, length, rows.shape[1]!]);
}

/** Positions of the newest `length` tokens of each row, f32 [batch, length]; padding before a shorter prompt counts as 0. */
export function cachePlaces({ lengths }: KeyValueCache, length: number): Tensor {
  const [batch] = lengths.shape as [number];
  return maximum(add(reshape(cast(lengths, "f32"), [batch, 1]), reshape(sub(places(length), length), [1, length])), 0);
}

/** 0, 1, 2 …, f32 [count]; worked out on the device, so that one ONNX graph serves every length. */
export const places = (count: number): Tensor => sub(cumulativeSum(broadcastTo(constant(1), [count])), 1);
