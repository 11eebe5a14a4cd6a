import { reshape, type Tensor } from "@heddle/kernels";

/** [batch, length, heads · headSize] → [batch, length, heads, headSize]; no memory moves. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, length, size] = x.shape as [number, number, number];
  return reshape(x, [batch, length, heads, size / heads]);
}

/** [batch, length, heads, headSize] → [batch, length, heads · headSize]; no memory moves. */
export function mergeHeads(x: Tensor): Tensor {
  const [batch, length, heads, headSize] = x.shape as [number, number, number, number];
  return reshape(x, [batch, length, heads * headSize]);
}
