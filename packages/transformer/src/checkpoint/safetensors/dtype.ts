import { fromFloat16, HeddleError } from "@heddle/kernels";

/** Bytes of one element of every dtype that a safetensors header may name here. */
const BYTES_PER_ELEMENT = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

export type SafetensorsDtype = keyof typeof BYTES_PER_ELEMENT;

export const SAFETENSORS_DTYPES = Object.keys(BYTES_PER_ELEMENT) as readonly SafetensorsDtype[];

export function isSafetensorsDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === "string" && Object.hasOwn(BYTES_PER_ELEMENT, value);
}

export function bytesPerElement(dtype: SafetensorsDtype): number {
  return BYTES_PER_ELEMENT[dtype];
}

/** Floating-point tensors are read as f32, all others as i32: the two types that every WebGPU device has. */
export function isFloatDtype(dtype: SafetensorsDtype): boolean {
  return dtype === "F64" || dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

/**
 * Decodes little-endian elements from `bytes` into `target[offset…]`.
 * `bytes` may start at any address: an element need not be aligned.
 */
export function decodeFloats(dtype: SafetensorsDtype, bytes: Uint8Array, target: Float32Array, offset: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.byteLength / bytesPerElement(dtype);
  switch (dtype) {
    case "F32":
      for (let i = 0; i < count; i++) target[offset + i] = view.getFloat32(i * 4, true);
      return;
    case "F64":
      for (let i = 0; i < count; i++) target[offset + i] = view.getFloat64(i * 8, true);
      return;
    case "F16":
      target.set(fromFloat16(new Uint16Array(bytes.slice().buffer)), offset);
      return;
    case "BF16": {
      // A bfloat16 is the upper half of a float32.
      const words = new Uint32Array(target.buffer, target.byteOffset, target.length);
      for (let i = 0; i < count; i++) words[offset + i] = view.getUint16(i * 2, true) << 16;
      return;
    }
    default:
      throw new HeddleError(
        "DTYPE_MISMATCH",
        `[safetensors] wanted a floating-point tensor, the file has ${dtype}: use decodeInts`,
      );
  }
}

/** Decodes little-endian integers or booleans from `bytes` into `target[offset…]`; values outside i32 are an error. */
export function decodeInts(
  name: string,
  dtype: SafetensorsDtype,
  bytes: Uint8Array,
  target: Int32Array,
  offset: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytesPerElement(dtype);
  const read = integerReader(dtype, view);
  for (let i = 0; i < bytes.byteLength / size; i++) {
    const value = read(i * size);
    if (value < -0x80000000 || value > 0x7fffffff) {
      throw new HeddleError(
        "SAFETENSORS_VALUE_RANGE",
        `[safetensors] ${name}[${offset + i}] is ${value}, which a 32-bit integer cannot hold: read it with readBytes() and decode it yourself`,
      );
    }
    target[offset + i] = Number(value);
  }
}

function integerReader(dtype: SafetensorsDtype, view: DataView): (at: number) => number | bigint {
  switch (dtype) {
    case "I64":
      return (at) => view.getBigInt64(at, true);
    case "U64":
      return (at) => view.getBigUint64(at, true);
    case "I32":
      return (at) => view.getInt32(at, true);
    case "U32":
      return (at) => view.getUint32(at, true);
    case "I16":
      return (at) => view.getInt16(at, true);
    case "U16":
      return (at) => view.getUint16(at, true);
    case "I8":
      return (at) => view.getInt8(at);
    case "U8":
    case "BOOL":
      return (at) => view.getUint8(at);
    default:
      throw new HeddleError(
        "DTYPE_MISMATCH",
        `[safetensors] wanted an integer tensor, the file has ${dtype}: use decodeFloats`,
      );
  }
}
