import { HeddleError } from "../../errors.ts";
import type { Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, type TensorLike } from "../../program/trace.ts";
import { broadcastShapes, formatShape, sameShape, type Shape } from "../../program/types.ts";
import { sumTo } from "../elementwise/define.ts";

const broadcastOp: Op<{ shape: Shape }> = {
  name: "broadcast",
  infer([x], { shape }) {
    if (!sameShape(broadcastShapes([x!.shape, shape], "broadcast"), shape)) {
      throw new HeddleError("SHAPE_MISMATCH", `[broadcast] ${formatShape(x!.shape)} does not broadcast to ${formatShape(shape)}`);
    }
    return [{ dtype: x!.dtype, shape }];
  },
  vjp: ({ inputs: [x], gradients: [g] }) => [sumTo(g!, x!.shape)],
  elementwise: { wgsl: ([x]) => x!, reference: ([x]) => x! },
};

/** `x` repeated along new or size-1 axes to `shape`, by NumPy's rules. */
export function broadcastTo(x: TensorLike, shape: Shape): Tensor {
  const tensor = asTensor(x);
  return sameShape(tensor.shape, shape) ? tensor : emitOne(broadcastOp, [tensor], { shape });
}
