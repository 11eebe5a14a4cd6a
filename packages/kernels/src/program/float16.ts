import { HeddleError } from "../errors.ts";

// IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. Node 20 has no Float16Array, so f16 data are their bits.

/** The largest finite half float. */
export const MAX_FLOAT16 = 65504;

/** Bits of an f32 from which on numbers round past MAX_FLOAT16: 65520, half-way to what would come next. */
const OVERFLOW = 0x477ff000;
/** Bits of 2⁻¹⁴, the smallest normal half float. */
const SMALLEST_NORMAL = 0x38800000;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The bits of the half float nearest to `value` as an f32, ties to even; ±Infinity from ±65520 on. */
export function float16Bits(value: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const magnitude = bits[0]! & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= OVERFLOW) return sign | 0x7c00;
  if (magnitude < SMALLEST_NORMAL) {
    // The spacing of f32 in [0.5, 1) is 2⁻²⁴, that of subnormal half floats: the addition rounds.
    float[0] = Math.abs(value) + 0.5;
    return sign | (bits[0]! - 0x3f000000);
  }
  const even = (magnitude >>> 13) & 1;
  return sign | ((magnitude + 0xfff + even - 0x38000000) >>> 13);
}

/** The number with these bits. */
export function float16ToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Numbers as half floats, each rounded to the nearest, ties to even. NaN and infinities stay what they are.
 *
 * @throws VALUE_OUT_OF_RANGE for a finite number that rounds past ±65504: half floats have none so large
 */
export function toFloat16(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    halves[i] = float16Bits(values[i]!);
    if ((halves[i]! & 0x7fff) === 0x7c00 && Number.isFinite(values[i])) {
      throw new HeddleError("VALUE_OUT_OF_RANGE", `[float16] element ${i} is ${values[i]}, and half floats end at ±${MAX_FLOAT16}; keep this tensor in f32, or scale it down`);
    }
  }
  return halves;
}

// All 65,536 half floats once: a table look-up is several times faster than the arithmetic, and checkpoints are large.
let table: Float32Array | undefined;

/** Half floats, given as their bits, as f32: exact. */
export function fromFloat16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  table ??= Float32Array.from({ length: 0x10000 }, (_, half) => float16ToNumber(half));
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = table[halves[i]!]!;
  return values;
}
