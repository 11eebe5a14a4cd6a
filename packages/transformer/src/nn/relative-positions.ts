import { add, broadcastTo, cast, constant, cumulativeSum, less, maximum, mul, reshape, sub, transpose, type Tensor } from "@heddle/kernels";
import { embedding } from "./embedding.ts";
import type { Scope } from "./scope.ts";

// Relative position bias of T5 (Raffel et al. 2019, arXiv:1910.10683, section 2.1): a learned number for each head and bucket of
// distances, small ones exactly and larger ones on a logarithmic scale.

export interface RelativePositionOptions {
  readonly heads: number;
  /** Half of them for keys before the query, half for keys after it. */
  readonly buckets: number;
  /** From this distance on all share the last bucket. */
  readonly maxDistance: number;
  readonly initializerRange: number;
}

/** Bias of the scores between all pairs of `length` tokens, [1, heads, length, length]. Its parameter is `weight` [buckets, heads]. */
export function relativePositionBias(scope: Scope, length: number, { heads, buckets, maxDistance, initializerRange }: RelativePositionOptions): Tensor {
  const rows = embedding(scope, bucketsOf(length, buckets, maxDistance), { count: buckets, size: heads, initializerRange });
  return reshape(transpose(rows, [2, 0, 1]), [1, heads, length, length]);
}

/** The bucket of each query and key, i32 [length, length]. */
function bucketsOf(length: number, buckets: number, maxDistance: number): Tensor {
  const place = sub(cumulativeSum(broadcastTo(constant(1), [length])), 1);
  const ahead = sub(reshape(place, [1, length]), reshape(place, [length, 1]));
  const distance = maximum(ahead, sub(0, ahead));
  const side = buckets / 2;
  let bucket = mul(less(0, ahead), side);
  for (const least of leastDistances(side, maxDistance)) bucket = add(bucket, less(least - 0.5, distance));
  return cast(bucket, "i32");
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
