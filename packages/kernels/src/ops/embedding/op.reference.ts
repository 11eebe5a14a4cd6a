import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";

export function referenceEmbedding([table, ids, ...addends]: readonly NdArray[], _: object, context: ReferenceContext): NdArray[] {
  const [rows, features] = table!.shape as [number, number];
  const y = context.zeros("f32", [...ids!.shape, features]);
  ids!.data.forEach((id, token) => {
    const row = Math.min(Math.max(id, 0), rows - 1);
    for (let i = 0; i < features; i++) {
      const at = token * features + i;
      y.data[at] = addends.reduce((total, { data }) => total + data[at % data.length]!, table!.data[row * features + i]!);
    }
  });
  return [y];
}

export function referenceScatterAdd([ids, updates]: readonly NdArray[], { rows }: { rows: number }, context: ReferenceContext): NdArray[] {
  const features = updates!.shape.at(-1)!;
  const y = context.zeros("f32", [rows, features]);
  ids!.data.forEach((row, token) => {
    if (row < 0 || row >= rows) return;
    for (let i = 0; i < features; i++) y.data[row * features + i]! += updates!.data[token * features + i]!;
  });
  return [y];
}
