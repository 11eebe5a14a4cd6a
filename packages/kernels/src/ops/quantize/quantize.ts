import { HeddleError } from "../../errors.ts";
import { float16Bits, float16ToNumber, fromFloat16 } from "../../program/float16.ts";
import { formatShape, sizeOf, type HostTensor } from "../../program/types.ts";
import { layoutOf, placeOfStep, QUANTIZATION_FORMATS, weightOf, wholeBlocks, zeroQuantizedTensor, type QuantizationFormat, type QuantizedTensor } from "./format.ts";

/**
 * Rounds a linear layer's weight to blocks of 32 (or 16) along its inputs. No weight is farther off than half a step of its block: scales
 * are rounded up to half floats, so that nothing is cut.
 *
 * @param weight f32 [outputs, inputs]
 * @throws WEIGHTS_NOT_FINITE for NaN or an infinity, VALUE_OUT_OF_RANGE where a scale is past what half floats hold,
 *   SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function quantizeWeight({ shape, data }: HostTensor, format: QuantizationFormat): QuantizedTensor {
  if (!QUANTIZATION_FORMATS.includes(format)) throw new HeddleError("INVALID_ARGUMENT", `[quantizeWeight] there is no format ${JSON.stringify(format)}; choose of ${QUANTIZATION_FORMATS.join(", ")}`);
  if (!(data instanceof Float32Array)) throw new HeddleError("DTYPE_MISMATCH", "[quantizeWeight] wants an f32 weight; convert half floats with fromFloat16()");
  if (shape.length !== 2 || sizeOf(shape) !== data.length) throw new HeddleError("SHAPE_MISMATCH", `[quantizeWeight] wants a weight [outputs, inputs] with as many elements, got ${formatShape(shape)} and ${data.length} elements`);
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new HeddleError("WEIGHTS_NOT_FINITE", `[quantizeWeight] element ${wrong} of the weight is ${data[wrong]}; a block with it has no scale. Was the training run diverging?`);
  const [outputs, inputs] = shape as [number, number];
  const quantized = zeroQuantizedTensor(format, [outputs, inputs]);
  const [{ data: values }, { data: scales }] = [quantized.values, quantized.scales];
  const [padded, { block: size, halves }] = [wholeBlocks(inputs), layoutOf(format)];
  for (let row = 0; row < outputs; row++) {
    for (let begin = 0; begin < inputs; begin += size) {
      const block = data.subarray(row * inputs + begin, row * inputs + Math.min(begin + size, inputs));
      const first = row * padded + begin;
      const { scale, minimum } = scaleOf(block, format);
      scales[(first / size) * halves] = float16Bits(scale);
      if (format === "q4_1") scales[(first / size) * halves + 1] = float16Bits(minimum);
      block.forEach((value, i) => {
        const { word, shift } = placeOfStep(format, first + i);
        values[word]! |= stepOf(value, format, scale, minimum) << shift;
      });
    }
  }
  return quantized;
}

/** The f32 weight [outputs, inputs] that a quantised one stands for. */
export function dequantizeWeight({ format, shape: [outputs, inputs], values, scales }: QuantizedTensor): HostTensor {
  const halves = fromFloat16(scales.data as Uint16Array);
  const { block: size, halves: perBlock } = layoutOf(format);
  const padded = wholeBlocks(inputs);
  const data = new Float32Array(outputs * inputs);
  for (let i = 0; i < data.length; i++) {
    const at = Math.floor(i / inputs) * padded + (i % inputs);
    const { word, shift } = placeOfStep(format, at);
    const block = Math.floor(at / size) * perBlock;
    data[i] = weightOf(format, values.data[word]!, shift, halves[block]!, perBlock === 2 ? halves[block + 1]! : 0);
  }
  return { shape: [outputs, inputs], data };
}

/** Half floats such that every weight of the block lies between the smallest and the largest step. */
function scaleOf(block: Float32Array, format: QuantizationFormat): { scale: number; minimum: number } {
  let [low, high] = [Infinity, -Infinity];
  for (const value of block) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (layoutOf(format).stepsPerWord === 4) return { scale: halfAbove(Math.max(-low, high) / 127), minimum: 0 };
  if (format === "q4_1") {
    const minimum = -halfAbove(-low);
    return { scale: halfAbove((high - minimum) / 15), minimum };
  }
  // Steps reach 8 scales down and 7 up; a negative scale turns that round.
  const [down, up] = [Math.max(-low / 8, high / 7), Math.max(high / 8, -low / 7)];
  return { scale: down <= up ? halfAbove(down) : -halfAbove(up), minimum: 0 };
}

function stepOf(value: number, format: QuantizationFormat, scale: number, minimum: number): number {
  const step = scale === 0 ? 0 : Math.round((value - minimum) / scale);
  if (layoutOf(format).stepsPerWord === 4) return step & 255;
  return format === "q4_0" ? step + 8 : step;
}

/** The smallest half float that is not below `value`. */
function halfAbove(value: number): number {
  const half = float16Bits(value);
  const nearest = float16ToNumber(half);
  // The next one up: of negative half floats the one with fewer bits, which of −0 there are none.
  const next = nearest < value ? float16ToNumber(half & 0x8000 ? half - 1 : half + 1) : nearest;
  if (!Number.isFinite(next)) throw new HeddleError("VALUE_OUT_OF_RANGE", `[quantizeWeight] a block needs the scale ${value}, and scales are half floats, which end at ±65504; scale the weight down`);
  return next;
}
