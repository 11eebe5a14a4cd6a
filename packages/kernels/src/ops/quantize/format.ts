import { bytesPerElement, sizeOf, type HostTensor, type TensorType } from "../../program/types.ts";

// Block-wise weight formats, by the names and the arithmetic of GGUF (ggml's block_q8_0, block_q4_0, block_q4_1): each 32
// weights of a row share a scale in half floats; in q8_16, which GGUF does not have, each 16. The layout is this library's: steps and scales in tensors of their own,
// so that a kernel reads whole words.

export const QUANTIZATION_FORMATS = ["q8_0", "q8_16", "q4_0", "q4_1"] as const;

/**
 * `q8_0`: w = scale · step, steps −127…127, 8.5 bits a weight; `q8_16`: the same with 16 weights a
 * block, 9 bits, which holds GGUF's Q6_K. `q4_0`: w = scale · (step − 8), steps 0…15, 4.5 bits.
 * `q4_1`: w = scale · step + minimum, steps 0…15, 5 bits.
 */
export type QuantizationFormat = (typeof QUANTIZATION_FORMATS)[number];

/** Rows are filled up to whole multiples of so many weights. */
export const BLOCK = 32;

interface BlockLayout {
  /** Weights along k that share a scale. */
  readonly block: 32 | 16;
  /** Steps in one u32. */
  readonly stepsPerWord: 4 | 8;
  /** Half floats of a block: its scale, and its minimum. */
  readonly halves: 1 | 2;
}

const LAYOUTS: Readonly<Record<QuantizationFormat, BlockLayout>> = {
  q8_0: { block: 32, stepsPerWord: 4, halves: 1 },
  q8_16: { block: 16, stepsPerWord: 4, halves: 1 },
  q4_0: { block: 32, stepsPerWord: 8, halves: 1 },
  q4_1: { block: 32, stepsPerWord: 8, halves: 2 },
};

export const layoutOf = (format: QuantizationFormat): BlockLayout => LAYOUTS[format];

export const wholeBlocks = (k: number): number => Math.ceil(k / BLOCK) * BLOCK;

/** A quantised weight on a host, [outputs, inputs] as a linear layer of PyTorch stores it. */
export interface QuantizedTensor {
  readonly format: QuantizationFormat;
  readonly shape: readonly [outputs: number, inputs: number];
  /**
   * u32 [outputs, words]: four or eight steps a word, rows filled up to whole blocks. Byte j of a word has step j; where it has
   * eight, step j is the low half of the byte and step j + 4 the high one.
   */
  readonly values: HostTensor;
  /** f16 [outputs, blocks], for `q4_1` [outputs, blocks, 2]: scale, minimum. */
  readonly scales: HostTensor;
}

/** Types of the two parts of a weight. */
export function partTypes(format: QuantizationFormat, [outputs, inputs]: readonly [number, number]): { values: TensorType; scales: TensorType } {
  const { block, stepsPerWord, halves } = LAYOUTS[format];
  const padded = wholeBlocks(inputs);
  const blocks = padded / block;
  return { values: { dtype: "u32", shape: [outputs, padded / stepsPerWord] }, scales: { dtype: "f16", shape: halves === 1 ? [outputs, blocks] : [outputs, blocks, halves] } };
}

/** What such a weight takes on a device. */
export function quantizedBytes(format: QuantizationFormat, shape: readonly [outputs: number, inputs: number]): number {
  return Object.values(partTypes(format, shape)).reduce((sum, type) => sum + bytesPerElement(type.dtype) * sizeOf(type.shape), 0);
}

/** A host's weight of zeros, to be filled. */
export function zeroQuantizedTensor(format: QuantizationFormat, shape: readonly [outputs: number, inputs: number]): QuantizedTensor & { readonly values: { readonly data: Uint32Array }; readonly scales: { readonly data: Uint16Array } } {
  const types = partTypes(format, shape);
  return {
    format,
    shape,
    values: { shape: types.values.shape, data: new Uint32Array(sizeOf(types.values.shape)) },
    scales: { shape: types.scales.shape, data: new Uint16Array(sizeOf(types.scales.shape)) },
  };
}

/** The word of element `at` of the padded [outputs, inputs], and the bits by which its step is shifted there. */
export function placeOfStep(format: QuantizationFormat, at: number): { word: number; shift: number } {
  const { stepsPerWord } = LAYOUTS[format];
  const within = at % stepsPerWord;
  return { word: Math.floor(at / stepsPerWord), shift: 8 * (within % 4) + (within >= 4 ? 4 : 0) };
}

/** w by its step and its block's scale and minimum. */
export function weightOf(format: QuantizationFormat, word: number, shift: number, scale: number, minimum: number): number {
  const bits = word >>> shift;
  if (LAYOUTS[format].stepsPerWord === 4) return scale * ((bits << 24) >> 24);
  return format === "q4_0" ? scale * ((bits & 15) - 8) : scale * (bits & 15) + minimum;
}
