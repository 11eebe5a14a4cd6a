import { add, cast, less, maximum, mul, reshape, sub, transpose, type Tensor } from "@heddle/kernels";
import { embedding } from "./embedding.ts";
import { positionsOf, type KeyValueCache } from "./key-value-cache.ts";
import { cachePlaces, places } from "./position-ids.ts";
import type { Scope } from "./scope.ts";

// Relative position bias of T5 (Raffel et al. 2019, arXiv:1910.10683, section 2.1): a learned number for each head and bucket of
// distances, small ones exactly and larger ones on a logarithmic scale.

export interface RelativePositionOptions {
  readonly heads: number;
  readonly buckets: number;
  /** From this distance on all share the last bucket. */
  readonly maxDistance: number;
  readonly initializerRange: number;
  /** Default true: half of the buckets are for keys after the query. False: those are never seen, and all are for keys before it. */
  readonly bidirectional?: boolean;
}

/**
 * Bias of the scores between queries and keys, [1 or batch, heads, queries, keys]. Its parameter is `weight` [buckets, heads].
 *
 * @param ahead how many places each key stands after each query, f32 [1 or batch, queries, keys]
 */
export function relativePositionBias(scope: Scope, ahead: Tensor, { heads, buckets, maxDistance, initializerRange, bidirectional = true }: RelativePositionOptions): Tensor {
  const side = bidirectional ? buckets / 2 : buckets;
  const distance = bidirectional ? maximum(ahead, sub(0, ahead)) : maximum(sub(0, ahead), 0);
  let bucket = bidirectional ? mul(less(0, ahead), side) : undefined;
  for (const least of leastDistances(side, maxDistance)) {
    const reached = less(least - 0.5, distance);
    bucket = bucket ? add(bucket, reached) : reached;
  }
  const rows = embedding(scope, cast(bucket!, "i32"), { count: buckets, size: heads, initializerRange });
  return transpose(rows, [0, 3, 1, 2]);
}

/** Between all tokens of a text, [1, length, length]. */
export function textDistances(length: number): Tensor {
  const place = places(length);
  return reshape(sub(reshape(place, [1, length]), reshape(place, [length, 1])), [1, length, length]);
}

/** Between the newest `length` tokens of a cache and all that it has room for, [batch, length, capacity]. */
export function cacheDistances(cache: KeyValueCache, length: number): Tensor {
  const capacity = positionsOf(cache, length);
  const queries = cachePlaces(cache, length);
  return sub(reshape(places(capacity), [1, 1, capacity]), reshape(queries, [queries.shape[0]!, length, 1]));
}

/** The smallest distance of each bucket after the first: to the last bit what transformers works out in f32. */
export function leastDistances(buckets: number, maxDistance: number): number[] {
  const exact = Math.floor(buckets / 2);
  const f32 = Math.fround;
  const bucketOf = (distance: number) => {
    if (distance < exact) return distance;
    const share = f32(f32(Math.log(f32(distance / exact))) / f32(Math.log(maxDistance / exact)));
    return Math.min(buckets - 1, exact + Math.trunc(f32(share * (buckets - exact))));
  };
  const least: number[] = [];
  for (let distance = 1; least.length < buckets - 1; distance++) {
    while (least.length < bucketOf(distance)) least.push(distance);
  }
  return least;
}
