import { HeddleError, quantizeWeight, toFloat16, zeroQuantizedTensor, type QuantizationFormat, type QuantizedTensor } from "@heddle/kernels";
import { readPieces, type GgufFile, type GgufTensor } from "./file.ts";
import { REPACKINGS, type Repacking } from "./repack.ts";

/** The format that holds a tensor's blocks on a device; undefined for floats and for what is no matrix. */
export function quantizationOf({ format, shape }: GgufTensor): QuantizationFormat | undefined {
  if (shape.length !== 2 || format.weights === 1) return undefined;
  return REPACKINGS.get(format.name)?.format ?? "q8_0";
}

/** A matrix in few bits, a few MiB of the file at a time. Errors: WEIGHTS_NOT_FINITE, those of reading. */
export async function readQuantized(file: GgufFile, tensor: GgufTensor, signal?: AbortSignal): Promise<QuantizedTensor> {
  const [outputs, inputs] = tensor.shape as [number, number];
  const quantized = zeroQuantizedTensor(quantizationOf(tensor)!, [outputs, inputs]);
  const write = writer(tensor, quantized);
  for await (const { bytes, first, count } of readPieces(file, tensor, signal)) write(bytes, first, count);
  // An exponent of ones: NaN or an infinity.
  if (quantized.scales.data.some((half) => (half & 0x7c00) === 0x7c00)) throw new HeddleError("WEIGHTS_NOT_FINITE", `[${file.source.label}] ${tensor.name} has a scale that is not finite: the file is damaged, download it again`);
  return quantized;
}

type Writer = (bytes: Uint8Array, first: number, count: number) => void;

function writer(tensor: GgufTensor, quantized: ReturnType<typeof zeroQuantizedTensor>): Writer {
  const repacking = REPACKINGS.get(tensor.format.name);
  return repacking ? repack(repacking, tensor, quantized) : roundAgain(tensor, quantized);
}

function repack({ format, groups, unpack }: Repacking, { format: { bytes: size, weights } }: GgufTensor, { values: { data: values }, scales: { data: scales } }: ReturnType<typeof zeroQuantizedTensor>): Writer {
  const steps = new Int8Array(weights / groups);
  const factors: [number, number] = [0, 0];
  const halves = format === "q4_1" ? 2 : 1;
  const [pack, words] = format.startsWith("q8") ? [packBytes, steps.length / 4] : [packNibbles, steps.length / 8];
  return (bytes, first, count) => {
    const floats = new Float32Array(count * groups * halves);
    for (let i = 0; i < count * groups; i++) {
      unpack(bytes, Math.floor(i / groups) * size, i % groups, steps, factors);
      pack(steps, values, (first * groups + i) * words);
      floats[i * halves] = factors[0];
      if (halves === 2) floats[i * 2 + 1] = factors[1];
    }
    scales.set(toFloat16(floats), first * groups * halves);
  };
}

function packBytes(steps: Int8Array, values: Uint32Array, at: number): void {
  for (let w = 0; w < steps.length / 4; w++) values[at + w] = (steps[4 * w]! & 255) | ((steps[4 * w + 1]! & 255) << 8) | ((steps[4 * w + 2]! & 255) << 16) | (steps[4 * w + 3]! << 24);
}

function packNibbles(steps: Int8Array, values: Uint32Array, at: number): void {
  for (let w = 0; w < steps.length / 8; w++) {
    let word = 0;
    for (let j = 0; j < 4; j++) word |= (steps[8 * w + j]! | (steps[8 * w + j + 4]! << 4)) << (8 * j);
    values[at + w] = word;
  }
}

/** Works a few blocks out, and rounds them anew. */
function roundAgain({ format: { weights, bytes: size, decode } }: GgufTensor, { format, values, scales }: ReturnType<typeof zeroQuantizedTensor>): Writer {
  return (bytes, first, count) => {
    const floats = new Float32Array(count * weights);
    for (let block = 0; block < count; block++) decode(bytes, block * size, floats, block * weights);
    // Blocks know no rows: to the format, all of a piece may be one.
    const piece = quantizeWeight({ shape: [1, floats.length], data: floats }, format);
    values.data.set(piece.values.data, (first * weights) / 4);
    scales.data.set(piece.scales.data as Uint16Array, (first * weights) / 32);
  };
}
