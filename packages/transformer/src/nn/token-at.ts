import { add, broadcastTo, constant, cumulativeSum, equal, matmul, reshape, sub, type Tensor } from "@heddle/kernels";

/** 0, 1, 2 … as f32 [length]. */
export const placesOf = (length: number): Tensor => sub(cumulativeSum(broadcastTo(constant(1), [length])), 1);

/** One token of each row. hidden [batch, length, size], at f32 [batch, 1] → [batch, size]. */
export function tokenAt(hidden: Tensor, at: Tensor): Tensor {
  const [batch, length, size] = hidden.shape as [number, number, number];
  const chosen = equal(add(broadcastTo(placesOf(length), [batch, length]), 0), at);
  return reshape(matmul(reshape(chosen, [batch, 1, length]), hidden), [batch, size]);
}
