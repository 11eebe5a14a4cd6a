import type { DType, Shape } from "../program/types.ts";
import { sizeOf } from "../program/types.ts";

/** `f32` rounds every stored number as a GPU would; `f64` is the oracle for finite differences. */
export type ReferencePrecision = "f32" | "f64";

/** A dense row-major array of the reference interpreter. f16 is held as numbers, not as bits. */
export interface NdArray {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: Float32Array | Float64Array | Int32Array | Uint32Array;
}

export interface ReferenceContext {
  readonly precision: ReferencePrecision;
  /** A zeroed array whose floats have the interpreter's precision. */
  zeros(dtype: DType, shape: Shape): NdArray;
}

export function referenceContext(precision: ReferencePrecision): ReferenceContext {
  return { precision, zeros: (dtype, shape) => ({ dtype, shape, data: allocate(dtype, sizeOf(shape), precision) }) };
}

function allocate(dtype: DType, size: number, precision: ReferencePrecision): NdArray["data"] {
  if (dtype === "i32") return new Int32Array(size);
  if (dtype === "u32") return new Uint32Array(size);
  return precision === "f64" ? new Float64Array(size) : new Float32Array(size);
}
