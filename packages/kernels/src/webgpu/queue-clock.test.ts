import { describe, expect, it } from "vitest";
import { SLEEP_SHARE } from "../device/polite-wait.ts";
import { QueueClock } from "./queue-clock.ts";

/** Queues work that takes `workMs`, sleeps as the clock says, and returns how long the caller waited. */
function simulate(clock: QueueClock, cost: number, workMs: number, first = false): number {
  clock.queue(cost, first);
  const sleptMs = clock.expectedMs * SLEEP_SHARE;
  clock.done(sleptMs, Math.max(0.1, workMs - sleptMs));
  return Math.max(sleptMs, workMs);
}

describe("QueueClock", () => {
  it("learns a steady speed and sleeps through most of a run, never past it by much", () => {
    const clock = new QueueClock();
    const times = Array.from({ length: 20 }, () => simulate(clock, 1e9, 100));
    expect(Math.max(...times)).toBeLessThan(110);
    clock.queue(1e9, false);
    expect(clock.expectedMs).toBeGreaterThan(60);
  });

  it("expects twice the work to take twice as long", () => {
    const clock = new QueueClock();
    simulate(clock, 1e9, 100);
    clock.queue(1e9, false);
    clock.queue(1e9, false);
    expect(clock.expectedMs).toBeCloseTo(200);
  });

  it("ignores a run that compiles", () => {
    const clock = new QueueClock();
    simulate(clock, 1e9, 20_000, true);
    expect(simulate(clock, 1e9, 50)).toBe(50);
  });

  it("forgets one slow run within a few", () => {
    const clock = new QueueClock();
    for (const workMs of [50, 50, 5000]) simulate(clock, 1e9, workMs);
    const times = Array.from({ length: 15 }, () => simulate(clock, 1e9, 50));
    expect(times.at(-1)).toBeLessThan(60);
    expect(times.reduce((a, b) => a + b)).toBeLessThan(8000);
  });
});
