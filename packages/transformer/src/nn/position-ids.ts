import { reshape, slice, type Tensor, type TensorLike } from "@heddle/kernels";

/** The first `length` rows of a learned position table: positions 0, 1, 2 … need no gather. table [max, size] → [1, length, size]. */
export function firstPositions(table: TensorLike, length: number, size: number): Tensor {
  return reshape(slice(table, { axis: 0, begin: 0, end: length }), [1, length, size]);
}
