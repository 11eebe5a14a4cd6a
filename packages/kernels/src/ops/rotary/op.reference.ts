import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import type { RotaryAttributes } from "./op.ts";

/** Turns the row that begins at element `at` in place, by the angles of `position`; `sign` −1 turns it back. */
export function rotateRow(data: NdArray["data"], at: number, table: NdArray, position: number, interleaved: boolean, sign: 1 | -1): void {
  const [positions, dims] = table.shape as [number, number];
  const pairs = dims / 2;
  const angles = Math.min(positions - 1, Math.max(0, position)) * dims;
  for (let i = 0; i < pairs; i++) {
    const [first, second] = interleaved ? [at + 2 * i, at + 2 * i + 1] : [at + i, at + pairs + i];
    const [cos, sin] = [table.data[angles + i]!, sign * table.data[angles + pairs + i]!];
    const [a, b] = [data[first]!, data[second]!];
    data[first] = a * cos - b * sin;
    data[second] = b * cos + a * sin;
  }
}

export function referenceRotaryEmbedding([x, table, lengths]: readonly NdArray[], { interleaved, begin, inverse }: RotaryAttributes, context: ReferenceContext): NdArray[] {
  const [batch, length, heads, headDim] = x!.shape as [number, number, number, number];
  const y = context.zeros("f32", x!.shape);
  y.data.set(x!.data);
  for (let row = 0; row < batch * length * heads; row++) {
    const token = Math.floor(row / heads);
    const first = lengths ? lengths.data[Math.floor(token / length)]! - length : begin;
    rotateRow(y.data, row * headDim, table!, first + (token % length), interleaved, inverse ? -1 : 1);
  }
  return [y];
}
