import { HeddleError } from "../../errors.ts";
import { defineOp } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { constant, emitOne, type TensorLike } from "../../program/trace.ts";
import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { add, div, less, where } from "../elementwise/arithmetic.ts";
import { lowerGlobalNorm } from "./global-norm.wgsl.ts";
import { onnxGlobalNorm } from "./op.onnx.ts";

function reference(inputs: readonly NdArray[], _: object, context: ReferenceContext): NdArray[] {
  const y = context.zeros("f32", []);
  let total = 0;
  for (const { data } of inputs) for (const value of data) total += value * value;
  y.data[0] = Math.sqrt(total);
  return [y];
}

const globalNormOp = defineOp({
  name: "globalNorm",
  infer(inputs) {
    const wrong = inputs.find(({ dtype }) => dtype !== "f32");
    if (wrong) throw new HeddleError("DTYPE_MISMATCH", `[globalNorm] wants f32 gradients, got ${wrong.dtype}`);
    return [{ dtype: "f32", shape: [] }];
  },
  reference,
  lower: lowerGlobalNorm,
  adjacentInputs: (inputs) => inputs.map((_, i) => i),
  onnx: onnxGlobalNorm,
});

/**
 * √(Σ x²) over all elements of all tensors: the norm that gradient clipping looks at. It adds in a fixed order.
 *
 * @param gradients f32 of any shapes; none have norm 0
 * @returns f32 []
 * @throws DTYPE_MISMATCH
 */
export function globalNorm(gradients: readonly TensorLike[]): Tensor {
  return gradients.length === 0 ? constant(0) : emitOne(globalNormOp, gradients, {});
}

/**
 * What gradients of this norm are multiplied with to clip it, as torch.nn.utils.clip_grad_norm_: min(1, maxNorm / (norm +
 * 1e-6)).
 *
 * @param norm f32 []
 * @param maxNorm positive
 * @returns f32 []
 * @throws INVALID_ARGUMENT
 */
export function clipScale(norm: TensorLike, maxNorm: number): Tensor {
  if (!(maxNorm > 0)) throw new HeddleError("INVALID_ARGUMENT", `[clipScale] maxNorm must be positive, got ${maxNorm}; 1 is usual, and leaving clipping out switches it off`);
  const scale = div(maxNorm, add(norm, 1e-6));
  return where(less(scale, 1), scale, 1);
}
