import { sizeOf } from "../../program/types.ts";
import type { BufferRef } from "../../program/lowering.ts";

/** Part of a tensor that one workgroup works through, in groups of four elements: every tensor begins at a multiple of four. */
export interface Piece {
  /** From the start of the tensor. */
  readonly firstFour: number;
  readonly fours: number;
  /** Elements of the last four that are the tensor's: 1 to 4. What lies behind them is unknown. */
  readonly inLastFour: number;
}

/** A tensor of any size in pieces of at most `maxFours`. */
export function* piecesOf({ type: { shape } }: BufferRef, maxFours: number): Generator<Piece> {
  const size = sizeOf(shape);
  const fours = Math.ceil(size / 4);
  for (let firstFour = 0; firstFour < fours; firstFour += maxFours) {
    const end = Math.min(fours, firstFour + maxFours);
    yield { firstFour, fours: end - firstFour, inLastFour: Math.min(4, size - 4 * (end - 1)) };
  }
}

/** How many fours `ref` begins after `span` does. */
export function foursInto(span: BufferRef, { offsetBytes = 0 }: BufferRef): number {
  return (offsetBytes - (span.offsetBytes ?? 0)) / 16;
}

/** Finds a workgroup's piece, of `p.pieces`. Uniform, so that barriers may follow. */
export const PIECE_WGSL = `
  let piece = workgroup.y * numWorkgroups.x + workgroup.x;
  if (piece >= p.pieces) { return; }`;
