import { describe, expect, it } from "vitest";
import { compareTensors, Tally } from "./compare.ts";

const tensor = (...values: number[]) => ({ shape: [values.length], data: Float32Array.from(values) });

describe("compareTensors", () => {
  it("measures against the largest reference, but no finer than the floor", () => {
    expect(compareTensors("x", tensor(1, 9), tensor(1, 10), 1)).toEqual({ error: 0.1, where: "x[1] is 9, wanted 10" });
    expect(compareTensors("x", tensor(0.5), tensor(0.25), 1).error).toBe(0.25);
    expect(compareTensors("x", tensor(2), tensor(2), 1).error).toBe(0);
  });

  it("leaves out tokens that are not seen", () => {
    const pairs = (...values: number[]) => ({ shape: [1, 2, 2], data: Float32Array.from(values) });
    const [actual, wanted] = [pairs(1, 2, 9, 9), pairs(1, 2, 3, 4)];
    const seen = (...values: number[]) => ({ shape: [1, 2], data: Int32Array.from(values) });
    expect(compareTensors("x", actual, wanted, 1, seen(1, 0)).error).toBe(0);
    expect(compareTensors("x", actual, wanted, 1, seen(0, 1)).error).toBe(6 / 4);
  });

  it("takes NaN, absence and another size for infinitely wrong", () => {
    expect(compareTensors("x", tensor(1, NaN), tensor(1, 2), 1)).toEqual({ error: Infinity, where: "x[1] is NaN, wanted 2" });
    expect(compareTensors("x", undefined, tensor(1), 1)).toEqual({ error: Infinity, where: "x is missing, wanted [1]" });
    expect(compareTensors("x", tensor(1, 2), tensor(1), 1).error).toBe(Infinity);
  });
});

it("Tally keeps the worst error and the first that is too large", () => {
  const tally = new Tally(0.1);
  tally.add({ error: 0.05, where: "a" });
  expect(tally.firstFailure).toBeNull();
  tally.add({ error: 0.2, where: "b" });
  tally.add({ error: Infinity, where: "c" });
  expect(tally.worst).toBe(Infinity);
  expect(tally.firstFailure).toMatch(/^b \(error 2.0e-1, tolerance 1.0e-1\)/);
});
