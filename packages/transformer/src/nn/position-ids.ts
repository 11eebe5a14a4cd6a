import { add, broadcastTo, cast, constant, cumulativeSum, maximum, reshape, slice, sub, type Tensor, type TensorLike } from "@heddle/kernels";
import { embedding, type EmbeddingOptions } from "./embedding.ts";
import type { KeyValueCache } from "./key-value-cache.ts";
import { normal, type Scope } from "./scope.ts";

/** The first `length` rows of a learned position table: positions 0, 1, 2 … need no gather. table [max, size] → [1, length, size]. */
export function firstPositions(table: TensorLike, length: number, size: number): Tensor {
  return reshape(slice(table, { axis: 0, begin: 0, end: length }), [1, length, size]);
}

/** Learned positions of a text's tokens, or of the newest `length` tokens of a cache. [1 or batch, length, size]. */
export function causalPositions(scope: Scope, length: number, cache: KeyValueCache | undefined, table: EmbeddingOptions): Tensor {
  const { count, size, initializerRange } = table;
  if (!cache) return firstPositions(scope.parameter("weight", [count, size], normal(initializerRange)), length, size);
  // Token i of row b stands at lengths[b] − length + i; before 0 there is padding.
  const [batch] = cache.lengths.shape as [number];
  const steps = sub(cumulativeSum(broadcastTo(constant(1), [length])), length + 1);
  const places = maximum(add(reshape(cast(cache.lengths, "f32"), [batch, 1]), reshape(steps, [1, length])), 0);
  return embedding(scope, cast(places, "i32"), table);
}
