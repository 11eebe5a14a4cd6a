import { broadcastTo, equal, matmul, reshape, type Tensor } from "@heddle/kernels";
import { places } from "./position-ids.ts";

/** One token of each row. hidden [batch, length, size], at f32 [batch, 1] → [batch, size]. */
export function tokenAt(hidden: Tensor, at: Tensor): Tensor {
  const [batch, length, size] = hidden.shape as [number, number, number];
  const chosen = equal(broadcastTo(places(length), [batch, length]), at);
  return reshape(matmul(reshape(chosen, [batch, 1, length]), hidden), [batch, size]);
}
