import { isQuantized, matmul, quantizedMatmul, type QuantizedMatmulOptions, type Tensor, type TensorLike } from "@heddle/kernels";
import type { Weight } from "./scope.ts";

/** activation(x · Wᵀ + bias), however W is held. x [..., in], W [out, in] → [..., out]. */
export function product(x: TensorLike, weight: Weight, epilogue: QuantizedMatmulOptions = {}): Tensor {
  return isQuantized(weight) ? quantizedMatmul(x, weight, epilogue) : matmul(x, weight, { transposeB: true, ...epilogue });
}
