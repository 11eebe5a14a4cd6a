import type { QuantizationFormat } from "@heddle/kernels";
import { f16, i8, q6Step, scaleAndMinimum, u32 } from "./blocks.ts";

// ggml's blocks in the formats that devices hold, without working the weights out.

export interface Repacking {
  readonly format: QuantizationFormat;
  /** Groups in a block of the file: the weights that share a scale on a device, 32 or 16. */
  readonly groups: number;
  /**
   * The steps of a group, 8 bits each with a sign or 4 bits without, to `steps`; their scale and minimum to `scales`.
   * w = scale · step + minimum; for `q4_0` scale · (step − 8).
   */
  unpack(bytes: Uint8Array, begin: number, group: number, steps: Int8Array, scales: [scale: number, minimum: number]): void;
}

/** Step j is the low half of byte j, step j + 16 the high one. */
function nibbles(format: "q4_0" | "q4_1"): Repacking {
  const header = format === "q4_1" ? 4 : 2;
  return {
    format,
    groups: 1,
    unpack(bytes, begin, _, steps, scales) {
      scales[0] = f16(bytes, begin);
      scales[1] = header === 4 ? f16(bytes, begin + 2) : 0;
      for (let j = 0; j < 16; j++) {
        const byte = bytes[begin + header + j]!;
        steps[j] = byte & 15;
        steps[j + 16] = byte >> 4;
      }
    },
  };
}

/** Exact: five bits without a minimum are eight with a sign. */
const q5: Repacking = {
  format: "q8_0",
  groups: 1,
  unpack(bytes, begin, _, steps, scales) {
    scales[0] = f16(bytes, begin);
    const high = u32(bytes, begin + 2);
    for (let j = 0; j < 16; j++) {
      const byte = bytes[begin + 6 + j]!;
      steps[j] = ((byte & 15) | (((high >>> j) & 1) << 4)) - 16;
      steps[j + 16] = ((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16;
    }
  },
};

const q8: Repacking = {
  format: "q8_0",
  groups: 1,
  unpack(bytes, begin, _, steps, scales) {
    scales[0] = f16(bytes, begin);
    for (let j = 0; j < 32; j++) steps[j] = i8(bytes[begin + 2 + j]!);
  },
};

/**
 * A group of 32 has a scale and a minimum of its own, each a half float times 6 bits. They are rounded to half floats again:
 * a weight is at most 2⁻¹¹ · (15 · scale + |minimum|) off, 1 % of a step or two.
 */
const q4k: Repacking = {
  format: "q4_1",
  groups: 8,
  unpack(bytes, begin, group, steps, scales) {
    const [scale, minimum] = scaleAndMinimum(bytes, begin + 4, group);
    scales[0] = f16(bytes, begin) * scale;
    scales[1] = -f16(bytes, begin + 2) * minimum;
    const shift = 4 * (group % 2);
    for (let l = 0; l < 32; l++) steps[l] = (bytes[begin + 16 + 32 * (group >> 1) + l]! >> shift) & 15;
  },
};

/** Groups of 16 have scales of their own, half floats times 8 bits, which are rounded to half floats again: a weight is at most 2⁻¹¹ of itself off. */
const q6k: Repacking = {
  format: "q8_16",
  groups: 16,
  unpack(bytes, begin, group, steps, scales) {
    scales[0] = f16(bytes, begin + 208) * i8(bytes[begin + 192 + group]!);
    for (let l = 0; l < 16; l++) steps[l] = q6Step(bytes, begin, 16 * group + l);
  },
};

/**
 * By the names of `BLOCK_FORMATS`: those whose steps a device's format holds as they are. Q5_1 and Q5_K have more bits than
 * `q4_1`, and minima, which formats of 8 bits do without: they are rounded to `q8_0`, at most 0.4 % of a block's largest weight off.
 */
export const REPACKINGS: ReadonlyMap<string, Repacking> = new Map([
  ["Q4_0", nibbles("q4_0")],
  ["Q4_1", nibbles("q4_1")],
  ["Q5_0", q5],
  ["Q8_0", q8],
  ["Q4_K", q4k],
  ["Q6_K", q6k],
]);
