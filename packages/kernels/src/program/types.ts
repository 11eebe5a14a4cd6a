import { HeddleError } from "../errors.ts";

/**
 * Element types. Booleans are f32 of 0 and 1. f16 is for storage alone: states and inputs may be f16, ops that say so read
 * them as f32, and `cast` converts; nothing computes in it.
 */
export type DType = "f32" | "i32" | "u32" | "f16";

/** Dtypes that kernels compute with. */
export type ComputedDType = Exclude<DType, "f16">;

export type Shape = readonly number[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Host data of one tensor; a shape of `[]` is a scalar. */
export interface HostTensor {
  readonly shape: Shape;
  /** f16 as the bits of each element, in a Uint16Array: see `toFloat16`. */
  readonly data: Float32Array | Int32Array | Uint32Array | Uint16Array;
}

/** Elements of four bytes between places in a buffer where a binding may begin, on every adapter. */
export const VIEW_ALIGNMENT = 64;

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

export function bytesPerElement(dtype: DType): number {
  return dtype === "f16" ? 2 : 4;
}

/** Bytes of a tensor's elements. */
export function dataBytes({ dtype, shape }: TensorType): number {
  return sizeOf(shape) * bytesPerElement(dtype);
}

/** Bytes that a tensor's buffer has: whole vec4s, and never none, as an empty buffer does not bind. */
export function storageBytes(type: TensorType): number {
  return Math.max(16, Math.ceil(dataBytes(type) / 16) * 16);
}

/** Bytes of a copy between buffers, which WebGPU wants in whole words. */
export function copyBytes(type: TensorType): number {
  return Math.ceil(dataBytes(type) / 4) * 4;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** `-1` is the last axis. Throws INVALID_ARGUMENT outside the rank. */
export function normalizeAxis(axis: number, rank: number, where: string): number {
  const normalized = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normalized < 0 || normalized >= rank) {
    throw new HeddleError("INVALID_ARGUMENT", `[${where}] axis ${axis} is outside a tensor of rank ${rank}`);
  }
  return normalized;
}

/** NumPy's broadcasting of any number of shapes. Throws SHAPE_MISMATCH. */
export function broadcastShapes(shapes: readonly Shape[], where: string): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let i = 0; i < shape.length; i++) {
      const axis = rank - shape.length + i;
      const extent = shape[i]!;
      if (extent === 1 || extent === result[axis]) continue;
      if (result[axis] !== 1) {
        throw new HeddleError("SHAPE_MISMATCH", `[${where}] shapes ${shapes.map(formatShape).join(" and ")} do not broadcast: extents ${result[axis]} and ${extent} differ on axis ${axis - rank}`);
      }
      result[axis] = extent;
    }
  }
  return result;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

export function dtypeOf(data: HostTensor["data"]): DType {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Uint16Array) return "f16";
  return data instanceof Int32Array ? "i32" : "u32";
}

const ARRAYS = { f32: Float32Array, i32: Int32Array, u32: Uint32Array, f16: Uint16Array } as const;

/** The typed array of a dtype over the bytes of `buffer`, or zeros. */
export function arrayOf(dtype: DType, content: number | ArrayBuffer): HostTensor["data"] {
  return new ARRAYS[dtype](content as number);
}
