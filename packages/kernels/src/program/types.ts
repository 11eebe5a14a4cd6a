import { HeddleError } from "../errors.ts";

/** Element types that a program computes with. Booleans are f32 of 0 and 1. */
export type DType = "f32" | "i32" | "u32";

export type Shape = readonly number[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Host data of one tensor; a shape of `[]` is a scalar. */
export interface HostTensor {
  readonly shape: Shape;
  readonly data: Float32Array | Int32Array | Uint32Array;
}

export const BYTES_PER_ELEMENT = 4;

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** Bytes that a tensor's buffer has: whole vec4s, and never none, as an empty buffer does not bind. */
export function storageBytes({ shape }: TensorType): number {
  return Math.max(16, Math.ceil((sizeOf(shape) * BYTES_PER_ELEMENT) / 16) * 16);
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
  return data instanceof Int32Array ? "i32" : "u32";
}
