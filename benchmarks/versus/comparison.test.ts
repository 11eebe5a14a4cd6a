import { cpus } from "node:os";
import { describe, expect, it } from "vitest";
import { assertAgreement, largestDifference, largestRelativeDifference } from "./agreement.ts";
import { compare, type Comparison, type Side } from "./compare.ts";
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
      return {
        name,
        async repeat() {
          order.push(name);
          const milliseconds = times[i++ % times.length]!;
          return { milliseconds, cpuMs: name === "slow" ? null : 2 * milliseconds };
        },
      };
    };
    // By its own clock the first one fills a turn alone; the second one needs three repetitions, of which two count.
    const { medians, rounds, othersShare } = await takeTurns([contender("slow", [120, 140, 130]), contender("quick", [70, 20, 30])], { rounds: 3 });
    expect(order.join(" ")).toBe("slow quick quick quick slow quick quick quick slow quick quick quick");
    expect(medians).toEqual([{ milliseconds: 130, cpuMs: null }, { milliseconds: 30, cpuMs: 60 }]);
    expect(rounds).toBe(3);
    expect(othersShare).toBeGreaterThanOrEqual(0);
  });

  it("stops after three rounds where the time is up, and lets each side settle after its turn", async () => {
    const order: string[] = [];
    const side = (name: string) => ({ name, repeat: async () => ({ milliseconds: 200, cpuMs: null }), settle: async () => void order.push(name) });
    expect((await takeTurns([side("a"), side("b")], { rounds: 9, budgetMs: 0 })).rounds).toBe(3);
    expect(order.join("")).toBe("ababab");
    expect((await takeTurns([side("a")], { rounds: 2, budgetMs: 0 })).rounds).toBe(2);
  });
});

describe("compare", () => {
  const side = (name: string, milliseconds: number, output: readonly number[], cpuMs: number | null = null): Side<null> => ({ name, prepare: async () => Float32Array.from(output), repeat: async () => ({ milliseconds, cpuMs }), close() {} });
  const comparison: Comparison<null> = { work: "w", shape: null, shapeText: "s", backend: "webgpu", adapter: "a", unit: "GFLOP/s", tolerance: 1e-4, software: true, rate: (ms) => 1000 / ms };

  it("makes a row of rates, by wall time and by the CPU time of all cores", async () => {
    const row = await compare([side("Heddle", 100, [1, 2], 50), side("p 1 webgpu", 200, [1, 2.00001], 400), side("p 1 cpu", 250, [1, 2])], comparison, { rounds: 1 });
    expect(row).toMatchObject({ work: "w", shape: "s", backend: "webgpu", adapter: "a", unit: "GFLOP/s", higherIsBetter: true, heddle: 10, peers: { "p 1 webgpu": 5, "p 1 cpu": 4 }, rounds: 1 });
    expect([row.heddleByCpu, row.peersByCpu]).toEqual([20 * cpus().length, { "p 1 webgpu": 2.5 * cpus().length, "p 1 cpu": null }]);
    expect(row.agreement?.differences["p 1 webgpu"]).toBeCloseTo(1e-5, 6);
    expect(Date.parse(row.date)).toBeGreaterThan(0);
  });

  it("has no rates by CPU time on a real GPU, and no agreement without a peer", async () => {
    const row = await compare([side("Heddle", 100, [1], 50)], { ...comparison, software: false }, { rounds: 1 });
    expect([row.heddleByCpu, row.peers, row.agreement]).toEqual([null, {}, null]);
  });

  it("runs no clock where a peer finds other numbers", async () => {
    const never = { ...side("Heddle", 1, [1]), repeat: () => Promise.reject(new Error("timed")) };
    await expect(compare([never, side("p 1 webgpu", 1, [1.1])], comparison, { rounds: 1 })).rejects.toThrow("[w s] largest absolute difference from p 1 webgpu is 1.0e-1");
  });
});

it("a row says how many times as fast Heddle is, whichever way the unit counts", () => {
  const row: VersusRow = { work: "w", shape: "s", backend: "cpu", adapter: "a", unit: "sentences/s", higherIsBetter: true, heddle: 30, peers: { "p 1 cpu": 20 }, heddleByCpu: 24, peersByCpu: { "p 1 cpu": 12 }, agreement: { measure: "largest absolute difference", tolerance: 1e-4, differences: { "p 1 cpu": 2e-6 } }, rounds: 9, othersShare: 0.01, date: "" };
  expect(formatRow(row)).toMatch(/p 1 cpu +20\.0   Heddle is 1\.50 × as fast   by CPU time 12\.0, 2\.00 ×   numbers within 2\.0e-6$/);
  expect(formatRow({ ...row, unit: "ms/step", higherIsBetter: false, agreement: null, peersByCpu: {} })).toMatch(/p 1 cpu +20\.0   Heddle is 0\.67 × as fast$/);
  expect(formatRow(row)).not.toContain("DISTURBED");
  expect(formatRow({ ...row, othersShare: 0.4 })).toContain("DISTURBED: other programs took 40 % of the cores");
});
