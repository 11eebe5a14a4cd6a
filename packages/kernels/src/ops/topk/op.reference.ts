import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import type { TopKAttributes } from "./op.ts";

export function referenceTopK([x]: readonly NdArray[], { k }: TopKAttributes, context: ReferenceContext): NdArray[] {
  const candidates = x!.shape.at(-1)!;
  const shape = [...x!.shape.slice(0, -1), k];
  const [values, indices] = [context.zeros("f32", shape), context.zeros("i32", shape)];
  for (let row = 0; row * candidates < x!.data.length; row++) {
    const scores = Array.from(x!.data.subarray(row * candidates, (row + 1) * candidates));
    const order = scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
    for (let j = 0; j < k; j++) {
      values.data[row * k + j] = scores[order[j]!]!;
      indices.data[row * k + j] = order[j]!;
    }
  }
  return [values, indices];
}
