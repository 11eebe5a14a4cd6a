import { expect, it } from "vitest";
import { randomBits, shuffle } from "./random.ts";

it("randomBits is uniform over each of its arguments", () => {
  const n = 1 << 15;
  const draws: ((i: number) => number)[] = [(i) => randomBits(i, 1, 2), (i) => randomBits(42, i, 2), (i) => randomBits(42, 1, i)];
  for (const draw of draws) {
    const cells = new Array<number>(256).fill(0);
    const bits = Uint32Array.from({ length: n }, (_, i) => draw(i));
    for (const value of bits) cells[value >>> 24]!++;
    const chiSquared = cells.reduce((total, count) => total + (count - n / 256) ** 2 / (n / 256), 0);
    // 255 degrees of freedom: mean 255, standard deviation 22.6.
    expect(Math.abs(chiSquared - 255)).toBeLessThan(5 * 22.6);
    let covariance = 0;
    for (let i = 1; i < n; i++) covariance += (bits[i]! / 2 ** 32 - 0.5) * (bits[i - 1]! / 2 ** 32 - 0.5);
    expect(Math.abs((covariance * 12) / n)).toBeLessThan(5 / Math.sqrt(n));
  }
});

it("shuffle gives every order the same chance", () => {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 6000; seed++) {
    const order = shuffle([0, 1, 2], seed).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(6);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
});
