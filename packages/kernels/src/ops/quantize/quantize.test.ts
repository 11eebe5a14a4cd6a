import { describe, expect, it } from "vitest";
import { fromFloat16 } from "../../program/float16.ts";
import { randomTensor } from "../../testing/check.ts";
import { layoutOf, QUANTIZATION_FORMATS, type QuantizedTensor } from "./format.ts";
import { dequantizeWeight, quantizeWeight } from "./quantize.ts";

/** Largest error of each block in steps of that block. */
function errorsInSteps(weight: Float32Array, quantized: QuantizedTensor): number[] {
  const [outputs, inputs] = quantized.shape;
  const { block: size, halves } = layoutOf(quantized.format);
  const blocks = quantized.scales.shape[1]!;
  const scales = fromFloat16(quantized.scales.data as Uint16Array);
  const errors = new Array<number>(outputs * blocks).fill(0); // of 0 where a row's last block has no weights
  dequantizeWeight(quantized).data.forEach((value, i) => {
    const block = Math.floor(i / inputs) * blocks + Math.floor((i % inputs) / size);
    const step = Math.abs(scales[block * halves]!);
    const error = Math.abs(value - weight[i]!);
    errors[block] = Math.max(errors[block]!, error === 0 ? 0 : error / step);
  });
  return errors;
}

describe.each(QUANTIZATION_FORMATS)("%s", (format) => {
  it("is at most half a step off, whatever the weights", () => {
    const shifted = randomTensor([5, 96], 2);
    const weights: [string, { shape: readonly number[]; data: Float32Array }][] = [
      ["random", { shape: [7, 160], data: randomTensor([7, 160], 1).data as Float32Array }],
      ["inputs that fill no block", { shape: [3, 45], data: randomTensor([3, 45], 3).data as Float32Array }],
      ["one input", { shape: [2, 1], data: Float32Array.of(-0.3, 4) }],
      ["far from zero", { shape: [5, 96], data: (shifted.data as Float32Array).map((v) => v * 1e-3 + 2) }],
      ["all negative", { shape: [5, 96], data: (shifted.data as Float32Array).map((v) => v - 1.5) }],
      ["extremes on both sides", { shape: [1, 32], data: Float32Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? 1 : -1) * (1 - i / 100)) }],
      ["tiny", { shape: [1, 64], data: (randomTensor([64], 4).data as Float32Array).map((v) => v * 1e-7) }],
      ["large", { shape: [1, 64], data: (randomTensor([64], 5).data as Float32Array).map((v) => v * 3e4) }],
      ["zeros", { shape: [2, 32], data: new Float32Array(64) }],
      ["equal", { shape: [2, 32], data: new Float32Array(64).fill(0.1) }],
      ["one far away", { shape: [1, 32], data: Float32Array.from({ length: 32 }, (_, i) => (i === 9 ? -50 : 0.01 * i)) }],
    ];
    for (const [name, weight] of weights) {
      const errors = errorsInSteps(weight.data, quantizeWeight(weight, format));
      expect(Math.max(...errors), name).toBeLessThanOrEqual(0.5 + 1e-4);
    }
  });

  it("takes as many bits as it says", () => {
    const { values, scales } = quantizeWeight(randomTensor([64, 256], 1), format);
    const bits = (8 * (values.data.byteLength + scales.data.byteLength)) / (64 * 256);
    expect(bits).toBe({ q8_0: 8.5, q8_16: 9, q4_0: 4.5, q4_1: 5 }[format]);
  });

  it("takes weights without rows or inputs", () => {
    expect(dequantizeWeight(quantizeWeight({ shape: [0, 64], data: new Float32Array(0) }, format))).toEqual({ shape: [0, 64], data: new Float32Array(0) });
    expect(dequantizeWeight(quantizeWeight({ shape: [3, 0], data: new Float32Array(0) }, format))).toEqual({ shape: [3, 0], data: new Float32Array(0) });
  });

  it("refuses what has no scale, and says where", () => {
    for (const value of [NaN, Infinity, -Infinity]) {
      const data = new Float32Array(64);
      data[37] = value;
      expect(() => quantizeWeight({ shape: [2, 32], data }, format)).toThrow(expect.objectContaining({ code: "WEIGHTS_NOT_FINITE", message: expect.stringContaining(`element 37 of the weight is ${value}`) }));
    }
    expect(() => quantizeWeight({ shape: [1, 32], data: new Float32Array(32).fill(-3e7) }, format)).toThrow(expect.objectContaining({ code: "VALUE_OUT_OF_RANGE" }));
  });
});

describe("quantizeWeight", () => {
  it("refuses other shapes, dtypes and formats", () => {
    expect(() => quantizeWeight(randomTensor([64], 1), "q8_0")).toThrow("[quantizeWeight] wants a weight [outputs, inputs] with as many elements, got [64] and 64 elements");
    expect(() => quantizeWeight({ shape: [2, 32], data: new Uint16Array(64) }, "q8_0")).toThrow("wants an f32 weight; convert half floats with fromFloat16()");
    expect(() => quantizeWeight(randomTensor([2, 32], 1), "q5_0" as "q8_0")).toThrow('there is no format "q5_0"; choose of q8_0, q8_16, q4_0, q4_1');
  });
});
