import { describe, expect, it } from "vitest";
import { assertAgreement, largestDifference, largestRelativeDifference } from "./agreement.ts";
import { formatRow, type VersusRow } from "./row.ts";
import { takeTurns } from "./turns.ts";

describe("differences", () => {
  it("are the largest, absolute or relative to the second list", () => {
    expect(largestDifference([1, -2, 3], [1, -1.5, 3.25])).toBe(0.5);
    expect(largestRelativeDifference([1, 2.2], [1, 2])).toBeCloseTo(0.1, 12);
    expect(largestRelativeDifference([0], [0])).toBe(0);
    expect(largestDifference(Float32Array.of(), [])).toBe(0);
  });

  it("are infinite for NaN on either side and for another length", () => {
    expect(largestDifference([NaN, 1], [0, 9])).toBe(Infinity);
    expect(largestDifference([0, 1], [NaN, 1])).toBe(Infinity);
    expect(largestDifference([1], [1, 1])).toBe(Infinity);
    expect(largestRelativeDifference([1], [0])).toBe(Infinity);
  });

  it("fail the run above the tolerance, and name the peer", () => {
    const agreement = (value: number) => ({ measure: "largest absolute difference" as const, tolerance: 1e-4, differences: { fine: 1e-6, "peer 1.0 cpu": value } });
    expect(() => assertAgreement("work", agreement(1e-4))).not.toThrow();
    expect(() => assertAgreement("work", agreement(2e-4))).toThrow("[work] largest absolute difference from peer 1.0 cpu is 2.0e-4, at most 1.0e-4 is allowed");
    expect(() => assertAgreement("work", agreement(Infinity))).toThrow(/Infinity/);
    expect(() => assertAgreement("work", agreement(NaN))).toThrow(/NaN/);
  });
});

describe("takeTurns", () => {
  it("alternates, leaves out the first repetition of a turn with several, and gives medians", async () => {
    const order: string[] = [];
    const contender = (name: string, times: readonly number[]) => {
      let i = 0;
      return { name, repeat: async () => (order.push(name), times[i++ % times.length]!) };
    };
    // By its own clock the first one fills a turn alone; the second one needs three repetitions, of which two count.
    const { medians, othersShare } = await takeTurns([contender("slow", [120, 140, 130]), contender("quick", [70, 20, 30])], 3);
    expect(order.join(" ")).toBe("slow quick quick quick slow quick quick quick slow quick quick quick");
    expect(medians).toEqual([130, 30]);
    expect(othersShare).toBeGreaterThanOrEqual(0);
  });
});

it("a row says how many times as fast Heddle is, whichever way the unit counts", () => {
  const row: VersusRow = { work: "w", shape: "s", backend: "cpu", adapter: "a", unit: "sentences/s", higherIsBetter: true, heddle: 30, peers: { "p 1 cpu": 20 }, agreement: { measure: "largest absolute difference", tolerance: 1e-4, differences: { "p 1 cpu": 2e-6 } }, othersShare: 0.01, date: "" };
  expect(formatRow(row)).toMatch(/p 1 cpu +20\.0   Heddle is 1\.50 × as fast   numbers within 2\.0e-6$/);
  expect(formatRow({ ...row, unit: "ms/step", higherIsBetter: false, agreement: null })).toMatch(/p 1 cpu +20\.0   Heddle is 0\.67 × as fast$/);
  expect(formatRow(row)).not.toContain("DISTURBED");
  expect(formatRow({ ...row, othersShare: 0.4 })).toContain("DISTURBED: other programs took 40 % of the cores");
});
