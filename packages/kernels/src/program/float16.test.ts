import { describe, expect, it } from "vitest";
import { float16Bits, float16ToNumber, fromFloat16, toFloat16 } from "./float16.ts";

const every = Uint16Array.from({ length: 0x10000 }, (_, half) => half);
const isNan = (half: number) => (half & 0x7fff) > 0x7c00;

describe("half floats", () => {
  it("come back as the same bits from their numbers, all 65,536", () => {
    const numbers = fromFloat16(every);
    const changed = every.filter((half) => (isNan(half) ? !Number.isNaN(numbers[half]) : float16Bits(numbers[half]!) !== half));
    expect([...changed]).toEqual([]);
  });

  it("are the nearest to a number, and the even one of two as near", () => {
    const wrong = every.subarray(0, 0x7bff).filter((half) => {
      // f32 holds the middle exactly, and a number on either side of it.
      const middle = (float16ToNumber(half) + float16ToNumber(half + 1)) / 2;
      const even = half % 2 === 0 ? half : half + 1;
      const rounded = [middle, middle * (1 - 2 ** -23), middle * (1 + 2 ** -23), -middle * (1 + 2 ** -23)].map(float16Bits);
      return rounded.join() !== [even, half, half + 1, (half + 1) | 0x8000].join();
    });
    expect([...wrong]).toEqual([]);
  });

  it("know zero's sign, subnormals, infinities and NaN", () => {
    const cases: [number, number][] = [[0, 0], [-0, 0x8000], [2 ** -24, 1], [2 ** -25, 0], [2 ** -25 * 1.0001, 1], [2 ** -149, 0], [1, 0x3c00], [-2, 0xc000], [65504, 0x7bff], [65519.996, 0x7bff], [65520, 0x7c00], [Infinity, 0x7c00], [-Infinity, 0xfc00], [NaN, 0x7e00]];
    for (const [value, half] of cases) expect(float16Bits(value), `${value}`).toBe(half);
  });

  it("refuse a finite number past their end, and keep infinities and NaN", () => {
    expect(() => toFloat16([1, -65520])).toThrow(expect.objectContaining({ code: "VALUE_OUT_OF_RANGE", message: "[float16] element 1 is -65520, and half floats end at ±65504; keep this tensor in f32, or scale it down" }));
    expect([...fromFloat16(toFloat16([65519, Infinity, -Infinity, NaN]))]).toEqual([65504, Infinity, -Infinity, NaN]);
  });
});
