import type { FitPlanEvent } from "@heddle/tasks";
import { expect, it } from "vitest";
import { Pace } from "./pace.ts";

it.each([
  { secondsPerStep: 0.01, tooSlow: false },
  { secondsPerStep: 0.5, tooSlow: false },
  { secondsPerStep: 1, tooSlow: true, epochs: 5 },
  { secondsPerStep: 100, tooSlow: true, epochs: 3 },
])("a demo of 300 steps at $secondsPerStep s each", ({ secondsPerStep, tooSlow, epochs }) => {
  let nowMs = 0;
  const pace = new Pace(() => nowMs);
  pace.plan = { totalSteps: 300, numTrainEpochs: 12 } as FitPlanEvent;
  expect(pace.isTooSlow(5)).toBe(false);
  nowMs += 5000 * secondsPerStep;
  expect(pace.isTooSlow(10)).toBe(tooSlow);
  if (epochs !== undefined) expect(pace.epochsThatFit).toBe(epochs);
});

it("does not start again where nothing can be left out", () => {
  let nowMs = 0;
  const pace = new Pace(() => nowMs);
  pace.plan = { totalSteps: 72, numTrainEpochs: 3 } as FitPlanEvent;
  pace.isTooSlow(5);
  nowMs += 60_000;
  expect(pace.isTooSlow(10)).toBe(false);
});
