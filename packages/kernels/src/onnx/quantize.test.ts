import { describe, expect, it } from "vitest";
import { randomFloats } from "../testing/check.ts";
import { isWorthQuantizing, quantizeWeight } from "./quantize.ts";

describe("quantizeWeight", () => {
  it("gives each output 127 steps to its largest magnitude, and rounds to the nearest", () => {
    const weight = Float32Array.of(1, -2, 0.5, /**/ 0, 0, 0, /**/ 1e-20, -3e-20, 2.99e-20);
    const { steps, scales } = quantizeWeight(weight, 3, 3, true);
    expect(scales).toEqual(Float32Array.of(2 / 127, 1, 3e-20 / 127));
    const column = (o: number) => [0, 1, 2].map((i) => steps[i * 3 + o]);
    expect([column(0), column(1), column(2)]).toEqual([[64, -127, 32], [0, 0, 0], [42, -127, 127]]);
  });

  it("takes either way of storing a weight, and is off by half a step at most", () => {
    const [inputs, outputs] = [7, 5];
    const weight = randomFloats(inputs * outputs, 3);
    const turned = Float32Array.from(weight, (_, at) => weight[(at % outputs) * inputs + Math.floor(at / outputs)]!);
    const { steps, scales } = quantizeWeight(weight, inputs, outputs, true);
    expect(quantizeWeight(turned, inputs, outputs, false)).toEqual({ steps, scales });
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) expect(Math.abs(steps[i * outputs + o]! * scales[o]! - weight[o * inputs + i]!)).toBeLessThanOrEqual(scales[o]! * 0.50001);
    }
  });
});

it("small weights and those of unknown size are not worth it", () => {
  const length = { coefficient: 1, symbols: ["length"], offset: 0 };
  expect([isWorthQuantizing(64, 64), isWorthQuantizing(63, 4096), isWorthQuantizing(4096, 63), isWorthQuantizing(length, 4096)]).toEqual([true, false, false, false]);
});
