import { HeddleError } from "../../errors.ts";
import type { Tensor } from "../../program/tensor.ts";
import { formatShape, type HostTensor } from "../../program/types.ts";

export interface RotaryTableOptions {
  /** Positions 0 to `length` − 1. */
  length: number;
  /** How many elements of a head are rotated: an even number, at most headDim. */
  dims: number;
  /** `rope_theta`. */
  base?: number;
  /** Radians a position for each pair, dims / 2 of them, where they are not base^(−2i / dims): Llama 3 and YaRN scale them. */
  frequencies?: readonly number[];
  /** What sines and cosines are multiplied with: YaRN's attention factor. */
  factor?: number;
}

/**
 * Cosines and sines for `rotaryEmbedding` and attention's `rotary`, f32 [length, dims]: of each position the cosines of all pairs,
 * then the sines (Su et al. 2021, "RoFormer", section 3.4.2). Computed in f64 once, on the host.
 *
 * @throws INVALID_ARGUMENT
 */
export function rotaryTable({ length, dims, base = 10_000, frequencies, factor = 1 }: RotaryTableOptions): HostTensor {
  if (!Number.isInteger(dims) || dims < 2 || dims % 2 !== 0) throw new HeddleError("INVALID_ARGUMENT", `[rotaryTable] dims must be even, as pairs are rotated, got ${dims}`);
  if (!Number.isInteger(length) || length < 1) throw new HeddleError("INVALID_ARGUMENT", `[rotaryTable] length must be a whole number of positions, at least 1, got ${length}`);
  const pairs = dims / 2;
  if (frequencies && frequencies.length !== pairs) throw new HeddleError("INVALID_ARGUMENT", `[rotaryTable] ${dims} dims are ${pairs} pairs, got ${frequencies.length} frequencies`);
  const data = new Float32Array(length * dims);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < pairs; i++) {
      const angle = position * (frequencies?.[i] ?? base ** (-i / pairs));
      data[position * dims + i] = factor * Math.cos(angle);
      data[position * dims + pairs + i] = factor * Math.sin(angle);
    }
  }
  return { shape: [length, dims], data };
}

/** Throws SHAPE_MISMATCH or DTYPE_MISMATCH where `table` is not one for heads of `headDim` and positions below `length`. */
export function checkRotaryTable(where: string, table: Tensor, headDim: number, length: number): void {
  if (table.dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[${where}] the rotary table must be f32, got ${table.dtype}; rotaryTable() makes one`);
  const [positions, dims] = table.shape;
  if (table.rank !== 2 || dims! % 2 !== 0 || dims! < 2 || dims! > headDim) throw new HeddleError("SHAPE_MISMATCH", `[${where}] the rotary table must be [positions, dims] with dims even and at most headDim ${headDim}, got ${formatShape(table.shape)}; rotaryTable() makes one`);
  if (positions! < length) throw new HeddleError("SHAPE_MISMATCH", `[${where}] the rotary table has ${positions} positions, ${length} are needed; make a longer one`);
}
