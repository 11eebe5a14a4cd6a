import { describe, expect, it } from "vitest";
import { compile } from "../../program/compile.ts";
import { add } from "../elementwise/arithmetic.ts";
import { gradients } from "../../program/autodiff.ts";
import { sum } from "../reduce/op.ts";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { dropout } from "./op.ts";
import { dropoutRule, randomBits } from "./random.ts";

const device = await testDevice();
const key = (value: number) => ({ shape: [], data: Uint32Array.of(value) });

describe("randomBits", () => {
  it("is uniform over elements, keys and streams", () => {
    const draws: [string, (i: number) => number][] = [
      ["elements", (i) => randomBits(i, 42, 3)],
      ["keys", (i) => randomBits(7, i, 3)],
      ["streams", (i) => randomBits(7, 42, i)],
    ];
    const n = 1 << 16;
    for (const [what, draw] of draws) {
      const bits = Uint32Array.from({ length: n }, (_, i) => draw(i));
      for (let bit = 0; bit < 16; bit++) {
        const ones = bits.reduce((count, value) => count + ((value >>> bit) & 1), 0);
        // Five standard deviations of a fair coin.
        expect(Math.abs(ones - n / 2), `${what}: bit ${bit}`).toBeLessThan(5 * Math.sqrt(n / 4));
      }
      const cells = new Array<number>(256).fill(0);
      for (const value of bits) cells[value >>> 8]!++;
      const chiSquared = cells.reduce((total, count) => total + (count - n / 256) ** 2 / (n / 256), 0);
      // 255 degrees of freedom: mean 255, standard deviation 22.6.
      expect(chiSquared, `${what}: chi²`).toBeLessThan(255 + 5 * 22.6);
      expect(chiSquared, `${what}: chi²`).toBeGreaterThan(255 - 5 * 22.6);
      const floats = Float64Array.from(bits, (value) => value / 2 ** 16 - 0.5);
      for (const lag of [1, 2, 3, 4, 64, 128]) {
        let covariance = 0;
        for (let i = lag; i < n; i++) covariance += floats[i]! * floats[i - lag]!;
        expect(Math.abs((covariance * 12) / n), `${what}: correlation at lag ${lag}`).toBeLessThan(5 / Math.sqrt(n));
      }
    }
  });
});

describe("dropout", () => {
  it.each([[[1]], [[3, 5]], [[2, 3, 4]], [[33, 7]], [[0, 4]]])("equals the reference on %j", async (shape) => {
    await checkForward(device, ({ x, key }) => ({ y: dropout(x!, 0.3, key!) }), { x: randomTensor(shape, 1), key: key(9) });
  });

  it.each([1021, 1024])("drops the elements that randomBits says, of %i", async (size) => {
    const x = { shape: [size], data: new Float32Array(size).fill(1) };
    using compiled = compile(device, "mask", ({ x, key }) => ({ half: dropout(x!, 0.5, key!), few: dropout(x!, 0.1, key!) }));
    for (const seed of [0, 1, 0xffffffff]) {
      const { half, few } = await compiled.run({ x, key: key(seed) });
      expect(Array.from(half!.data, (y) => y > 0)).toEqual(Array.from(half!.data, (_, i) => randomBits(i, seed, 0) >= 2 ** 15));
      expect(Array.from(few!.data, (y) => y > 0)).toEqual(Array.from(few!.data, (_, i) => randomBits(i, seed, 1) >= 6554));
    }
  });

  it("draws the forward mask again in the gradient", async () => {
    await checkGradients(device, ({ x, key }) => ({ y: dropout(x!, 0.5, key!) }), { x: randomTensor([5, 7], 2), key: key(3) }, ["x"]);
    using compiled = compile(device, "mask", ({ x, key }) => {
      const y = dropout(x!, 0.25, key!);
      return { y, dx: gradients(sum(y), [x!])[0]! };
    });
    const { y, dx } = await compiled.run({ x: { shape: [64], data: new Float32Array(64).fill(3) }, key: key(11) });
    expect(Array.from(y!.data, (v) => v / 3)).toEqual(Array.from(dx!.data, (v) => expect.closeTo(v, 5)));
    expect(new Set(dx!.data).size).toBe(2);
  });

  it("keeps 1 − p of the elements and the mean", async () => {
    const n = 1 << 16;
    using compiled = compile(device, "rate", ({ x, key }) => ({ y: dropout(x!, 0.1, key!) }));
    const x = { shape: [n], data: new Float32Array(n).fill(1) };
    const first = (await compiled.run({ x, key: key(1) }))["y"]!.data as Float32Array;
    const second = (await compiled.run({ x, key: key(2) }))["y"]!.data as Float32Array;
    const kept = first.reduce((count, v) => count + (v === 0 ? 0 : 1), 0);
    expect(Math.abs(kept - 0.9 * n)).toBeLessThan(5 * Math.sqrt(n * 0.09));
    const both = first.reduce((count, v, i) => count + (v !== 0 && second[i] !== 0 ? 1 : 0), 0);
    expect(Math.abs(both - 0.81 * n)).toBeLessThan(5 * Math.sqrt(n * 0.81 * 0.19));
  });

  it("gives each call of a trace its own mask, and p = 0 the input", () => {
    const inputs = { x: { shape: [256], data: new Float32Array(256).fill(1) }, key: key(1) };
    const { a, b, none } = reference(({ x, key }) => ({ a: dropout(x!, 0.5, key!), b: dropout(x!, 0.5, key!), none: add(dropout(x!, 0, key!), 0) }), inputs);
    expect([...a!.data]).not.toEqual([...b!.data]);
    expect([...none!.data]).toEqual([...inputs.x.data]);
  });

  it("keeps what is expected, with any probability", () => {
    expect(dropoutRule(0.5)).toEqual({ dropBelow: 2 ** 15, keepScale: 2 });
    expect(dropoutRule(1e-6)).toEqual({ dropBelow: 0, keepScale: 1 });
    for (const probability of [0.1, 1 / 3, 0.999, 1 - 1e-9]) {
      const { dropBelow, keepScale } = dropoutRule(probability);
      expect(dropBelow).toBeLessThan(2 ** 16);
      expect(keepScale * (1 - dropBelow / 2 ** 16)).toBeCloseTo(1, 12);
    }
  });

  it("refuses wrong arguments", () => {
    const x = randomTensor([4], 1);
    expect(() => reference(({ x, key }) => ({ y: dropout(x!, 1, key!) }), { x, key: key(1) })).toThrow("[dropout] the probability of dropping must be in [0, 1), got 1");
    expect(() => reference(({ x }) => ({ y: dropout(x!, 0.5, 1) }), { x })).toThrow("[dropout] the key must be a u32 scalar");
  });
});
