import { HeddleError } from "../../errors.ts";
import { defineOp } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape, sizeOf, type Shape } from "../../program/types.ts";

/** Exported for ops that read through it. */
export const reshapeOp = defineOp<{ shape: Shape }>({
  name: "reshape",
  infer: ([x], { shape }) => [{ dtype: x!.dtype, shape }],
  vjp: ({ inputs: [x], gradients: [g] }) => [reshape(g!, x!.shape)],
  reference: ([x], { shape }) => [{ dtype: x!.dtype, shape, data: x!.data }],
  onnx: ({ graph, inputs: [x], outputs: [y] }) => [graph.reshape(x!.value, y!.dims, x!.dims)],
  view: true,
  readsHalf: true,
});

/**
 * The same elements under another shape; no memory moves. One extent may be -1 and is then worked out.
 * Throws SHAPE_MISMATCH where the sizes differ.
 */
export function reshape(x: TensorLike, shape: Shape): Tensor {
  const tensor = asTensor(x);
  const open = shape.indexOf(-1);
  const known = sizeOf(shape.filter((extent) => extent !== -1));
  const full = open < 0 ? shape : shape.map((extent, axis) => (axis === open ? tensor.size / Math.max(1, known) : extent));
  if (full.some((extent) => !Number.isInteger(extent) || extent < 0) || sizeOf(full) !== tensor.size) {
    throw new HeddleError("SHAPE_MISMATCH", `[reshape] ${formatShape(tensor.shape)} has ${tensor.size} elements, ${formatShape(shape)} cannot hold them`);
  }
  return sameShape(full, tensor.shape) ? tensor : emitOne(reshapeOp, [tensor], { shape: full });
}
