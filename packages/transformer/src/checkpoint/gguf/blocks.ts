import { fromFloat16 } from "@heddle/kernels";

// ggml's block formats (ggml-common.h, ggml-quants.c of llama.cpp), each worked out to f32 in the order and precision of its
// dequantize_row_… functions.

export interface BlockFormat {
  readonly name: string;
  readonly weights: number;
  readonly bytes: number;
  /** Writes a block's weights to y[at …]. */
  decode(bytes: Uint8Array, begin: number, y: Float32Array, at: number): void;
}

// Of all half floats, made when the first is read.
let halves: Float32Array | undefined;
export const f16 = (bytes: Uint8Array, at: number): number => {
  halves ??= fromFloat16(Uint16Array.from({ length: 0x10000 }, (_, half) => half));
  return halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
};
export const i8 = (byte: number): number => (byte << 24) >> 24;
export const u32 = (bytes: Uint8Array, at: number): number => (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
const { fround } = Math;

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);
const f32 = (bits: number): number => {
  word[0] = bits;
  return float[0]!;
};

/** Blocks of 32 with two weights a byte, and a fifth bit of each where `fifth` is. */
function nibbles(name: string, { minimum, fifth }: { minimum: boolean; fifth: boolean }): BlockFormat {
  const header = minimum ? 4 : 2;
  const steps = header + (fifth ? 4 : 0);
  const middle = fifth ? 16 : 8;
  return {
    name,
    weights: 32,
    bytes: steps + 16,
    decode(bytes, begin, y, at) {
      const d = f16(bytes, begin);
      const m = minimum ? f16(bytes, begin + 2) : 0;
      const high = fifth ? u32(bytes, begin + header) : 0;
      for (let j = 0; j < 16; j++) {
        const byte = bytes[begin + steps + j]!;
        const low = (byte & 15) | (((high >>> j) & 1) << 4);
        const top = (byte >> 4) | (((high >>> (j + 16)) & 1) << 4);
        y[at + j] = minimum ? d * low + m : d * (low - middle);
        y[at + j + 16] = minimum ? d * top + m : d * (top - middle);
      }
    },
  };
}

/** Scale j and minimum j, 6 bits each, of the 12 bytes of Q4_K and Q5_K. */
export function scaleAndMinimum(bytes: Uint8Array, at: number, j: number): [scale: number, minimum: number] {
  if (j < 4) return [bytes[at + j]! & 63, bytes[at + j + 4]! & 63];
  return [(bytes[at + j + 4]! & 15) | ((bytes[at + j - 4]! >> 6) << 4), (bytes[at + j + 4]! >> 4) | ((bytes[at + j]! >> 6) << 4)];
}

/** Blocks of 256 in eight groups, each with its scale and minimum. */
function groups(name: string, fifth: boolean): BlockFormat {
  const steps = 16 + (fifth ? 32 : 0);
  return {
    name,
    weights: 256,
    bytes: steps + 128,
    decode(bytes, begin, y, at) {
      const [d, dmin] = [f16(bytes, begin), f16(bytes, begin + 2)];
      for (let group = 0; group < 8; group++) {
        const [scale, minimum] = scaleAndMinimum(bytes, begin + 4, group);
        const [d1, m1] = [fround(d * scale), fround(dmin * minimum)];
        const shift = 4 * (group % 2);
        for (let l = 0; l < 32; l++) {
          const low = (bytes[begin + steps + 32 * (group >> 1) + l]! >> shift) & 15;
          const high = fifth ? ((bytes[begin + 16 + l]! >> group) & 1) << 4 : 0;
          y[at + 32 * group + l] = fround(d1 * (low | high)) - m1;
        }
      }
    },
  };
}

const q8: BlockFormat = {
  name: "Q8_0",
  weights: 32,
  bytes: 34,
  decode(bytes, begin, y, at) {
    const d = f16(bytes, begin);
    for (let j = 0; j < 32; j++) y[at + j] = d * i8(bytes[begin + 2 + j]!);
  },
};

/** Step i of Q6_K, −32…31: its low four bits and its high two lie in different places. */
export function q6Step(bytes: Uint8Array, begin: number, i: number): number {
  const [side, quarter, l] = [i >> 7, (i >> 5) & 3, i & 31];
  const low = bytes[begin + 64 * side + l + 32 * (quarter % 2)]! >> (4 * (quarter >> 1));
  const high = bytes[begin + 128 + 32 * side + l]! >> (2 * quarter);
  return ((low & 15) | ((high & 3) << 4)) - 32;
}

const q6k: BlockFormat = {
  name: "Q6_K",
  weights: 256,
  bytes: 210,
  decode(bytes, begin, y, at) {
    const d = f16(bytes, begin + 208);
    for (let i = 0; i < 256; i++) y[at + i] = fround(d * i8(bytes[begin + 192 + (i >> 4)]!)) * q6Step(bytes, begin, i);
  },
};

const floats: Readonly<Record<"F32" | "F16" | "BF16", BlockFormat>> = {
  F32: { name: "F32", weights: 1, bytes: 4, decode: (bytes, begin, y, at) => void (y[at] = f32(u32(bytes, begin))) },
  F16: { name: "F16", weights: 1, bytes: 2, decode: (bytes, begin, y, at) => void (y[at] = f16(bytes, begin)) },
  BF16: { name: "BF16", weights: 1, bytes: 2, decode: (bytes, begin, y, at) => void (y[at] = f32((bytes[begin]! | (bytes[begin + 1]! << 8)) << 16)) },
};

/** By ggml's number of the type. */
export const BLOCK_FORMATS: ReadonlyMap<number, BlockFormat> = new Map([
  [0, floats.F32],
  [1, floats.F16],
  [2, nibbles("Q4_0", { minimum: false, fifth: false })],
  [3, nibbles("Q4_1", { minimum: true, fifth: false })],
  [6, nibbles("Q5_0", { minimum: false, fifth: true })],
  [7, nibbles("Q5_1", { minimum: true, fifth: true })],
  [8, q8],
  [12, groups("Q4_K", false)],
  [13, groups("Q5_K", true)],
  [14, q6k],
  [30, floats.BF16],
]);
