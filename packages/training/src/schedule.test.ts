import { describe, expect, it } from "vitest";
import { learningRateAt, warmupStepsOf, type SchedulerType } from "./schedule.ts";

const rates = (type: SchedulerType, warmupSteps: number, totalSteps: number) =>
  Array.from({ length: totalSteps }, (_, step) => learningRateAt(step, { type, learningRate: 10, warmupSteps, totalSteps }));

// The numbers of transformers' own tests (tests/optimization/test_optimization.py: lr 10, warm-up 2, 10 steps).
describe("learningRateAt", () => {
  it.each<[SchedulerType, number, number[]]>([
    ["constant", 0, [10, 10, 10, 10, 10, 10, 10, 10, 10, 10]],
    ["constant_with_warmup", 4, [0, 2.5, 5, 7.5, 10, 10, 10, 10, 10, 10]],
    ["linear", 2, [0, 5, 10, 8.75, 7.5, 6.25, 5, 3.75, 2.5, 1.25]],
    ["cosine", 2, [0, 5, 10, 9.61, 8.53, 6.91, 5, 3.08, 1.46, 0.38]],
  ])("%s", (type, warmupSteps, wanted) => {
    rates(type, warmupSteps, 10).forEach((rate, step) => expect(Math.abs(rate - wanted[step]!), `step ${step}`).toBeLessThan(0.01));
  });

  it("is linear from the first step on without warm-up and never negative", () => {
    expect(rates("linear", 0, 4)).toEqual([10, 7.5, 5, 2.5]);
    expect(learningRateAt(9, { type: "linear", learningRate: 10, warmupSteps: 0, totalSteps: 4 })).toBe(0);
  });
});

it("rounds a warm-up ratio up and prefers steps", () => {
  expect(warmupStepsOf({ warmupSteps: 0, warmupRatio: 0.1 }, 101)).toBe(11);
  expect(warmupStepsOf({ warmupSteps: 5, warmupRatio: 0.1 }, 101)).toBe(5);
  expect(warmupStepsOf({ warmupSteps: 0, warmupRatio: 0 }, 101)).toBe(0);
});
