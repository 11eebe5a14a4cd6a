import { sizeOf } from "../../program/types.ts";
import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";

export function referenceExtendCache([keyCache, valueCache, k, v, lengths]: readonly NdArray[], _: object, context: ReferenceContext): NdArray[] {
  const [batch, capacity] = keyCache!.shape as [number, number];
  const added = k!.shape[1]!;
  const row = sizeOf(k!.shape.slice(2));
  return [[keyCache!, k!] as const, [valueCache!, v!] as const].map(([cache, rows]) => {
    const y = context.zeros("f32", cache.shape);
    y.data.set(cache.data);
    for (let b = 0; b < batch; b++) {
      for (let i = 0; i < added; i++) {
        const place = lengths!.data[b]! - added + i;
        if (place < 0 || place >= capacity) continue;
        for (let n = 0; n < row; n++) y.data[(b * capacity + place) * row + n] = rows.data[(b * added + i) * row + n]!;
      }
    }
    return y;
  });
}
