import { HeddleError } from "../../errors.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape } from "../../program/types.ts";

/** How many tokens each row of a batch has, i32 or u32 [batch]. Throws SHAPE_MISMATCH. */
export function asLengths(lengths: TensorLike, batch: number, where: string): Tensor {
  const tensor = asTensor(lengths);
  if (tensor.dtype !== "f32" && sameShape(tensor.shape, [batch])) return tensor;
  throw new HeddleError("SHAPE_MISMATCH", `[${where}] lengths must be i32 or u32 [batch] = [${batch}], got ${tensor.dtype} ${formatShape(tensor.shape)}; cacheLengths() makes them`);
}
