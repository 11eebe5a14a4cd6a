import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { sizeOf } from "../../program/types.ts";
import type { ReduceAttributes } from "./op.ts";

export const LOWEST_F32 = -3.4028234663852886e38;

export function referenceReduce(inputs: readonly NdArray[], { reduction, begin, end }: ReduceAttributes, context: ReferenceContext): NdArray[] {
  const x = inputs[0]!;
  const outer = sizeOf(x.shape.slice(0, begin));
  const reduced = sizeOf(x.shape.slice(begin, end));
  const inner = sizeOf(x.shape.slice(end));
  const y = context.zeros("f32", x.shape.map((extent, axis) => (axis >= begin && axis < end ? 1 : extent)));
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let folded = reduction === "sum" ? 0 : LOWEST_F32;
      for (let r = 0; r < reduced; r++) {
        const value = x.data[(o * reduced + r) * inner + i]!;
        folded = reduction === "sum" ? folded + value : Math.max(folded, value);
      }
      y.data[o * inner + i] = folded;
    }
  }
  return [y];
}
