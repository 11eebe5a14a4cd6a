import { HeddleError } from "../../errors.ts";
import { defineOp } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emit, type TensorLike } from "../../program/trace.ts";
import { formatShape } from "../../program/types.ts";
import { reshape } from "../reshape/op.ts";
import { onnxTopK } from "./op.onnx.ts";
import { referenceTopK } from "./op.reference.ts";
import { lowerTopK } from "./op.wgsl.ts";

export interface TopKAttributes {
  k: number;
}

const topKOp = defineOp<TopKAttributes>({
  name: "topK",
  infer([x], { k }) {
    if (x!.dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[topK] wants f32, got ${x!.dtype}; convert with cast()`);
    const candidates = x!.shape.at(-1);
    if (candidates === undefined || !Number.isInteger(k) || k < 1 || k > candidates) {
      throw new HeddleError("INVALID_ARGUMENT", `[topK] cannot take the ${k} largest along the last axis of ${formatShape(x!.shape)}; k must be from 1 to ${candidates ?? "the extent of an axis"}`);
    }
    const shape = [...x!.shape.slice(0, -1), k];
    return [{ dtype: "f32", shape }, { dtype: "i32", shape }];
  },
  reference: referenceTopK,
  rowWise: { inputs: [0], outputs: [0, 1] },
  lower: lowerTopK,
  onnx: onnxTopK,
});

/**
 * The k largest elements along the last axis, largest first; of equal ones the lower index first. Made for k up to a few
 * hundred. No gradient.
 *
 * @param x f32 [..., candidates]; no NaN
 * @returns values f32 [..., k] and indices i32 [..., k] into the last axis
 * @throws DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function topK(x: TensorLike, k: number): { values: Tensor; indices: Tensor } {
  const [values, indices] = emit(topKOp, [x], { k });
  return { values: values!, indices: indices! };
}

/**
 * Index of the largest element along the last axis, the lowest of equal ones. No gradient.
 *
 * @param x f32 [..., candidates]; no NaN
 * @returns i32 [...]
 * @throws DTYPE_MISMATCH, INVALID_ARGUMENT for an empty axis
 */
export function argmax(x: TensorLike): Tensor {
  return reshape(topK(x, 1).indices, asTensor(x).shape.slice(0, -1));
}
