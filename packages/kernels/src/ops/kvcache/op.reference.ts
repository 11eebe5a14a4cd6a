import { sizeOf } from "../../program/types.ts";
import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { rotateRow } from "../rotary/op.reference.ts";
import type { ExtendCacheAttributes } from "./op.ts";

export function referenceExtendCache([keyCache, valueCache, k, v, lengths, table]: readonly NdArray[], { rotary }: ExtendCacheAttributes, context: ReferenceContext): NdArray[] {
  const [batch, capacity] = keyCache!.shape as [number, number];
  const added = k!.shape[1]!;
  const [row, headDim] = [sizeOf(k!.shape.slice(2)), k!.shape[3]!];
  return [[keyCache!, k!] as const, [valueCache!, v!] as const].map(([cache, rows]) => {
    const y = context.zeros("f32", cache.shape);
    y.data.set(cache.data);
    for (let b = 0; b < batch; b++) {
      for (let i = 0; i < added; i++) {
        const place = lengths!.data[b]! - added + i;
        if (place < 0 || place >= capacity) continue;
        const at = (b * capacity + place) * row;
        for (let n = 0; n < row; n++) y.data[at + n] = rows.data[(b * added + i) * row + n]!;
        for (let n = 0; rotary && rows === k && n < row; n += headDim) rotateRow(y.data, at + n, table!, place, rotary.interleaved, 1);
      }
    }
    return y;
  });
}
