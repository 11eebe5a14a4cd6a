import { expect, it } from "vitest";
import { Batches } from "./batch.ts";

/** An implementation whose repetitions take so long by a clock that only it moves. */
function implementation(millisecondsEach: number, clock: { ms: number }): { batches: number[]; prepare(shape: number): Promise<Float32Array>; repeat(times: number): Promise<void> } {
  const batches: number[] = [];
  return {
    batches,
    prepare: async (shape) => Float32Array.of(shape),
    async repeat(times) {
      batches.push(times);
      clock.ms += times * millisecondsEach;
    },
  };
}

it("queues as many repetitions as fill 20 ms, and tells what one took", async () => {
  const clock = { ms: 0 };
  const counted = implementation(3, clock);
  const batches = new Batches(counted, () => 2 * clock.ms, () => clock.ms);
  expect(await batches.prepare(7)).toEqual(Float32Array.of(7));
  expect(await batches.repeat()).toEqual({ milliseconds: 3, cpuMs: 6 });
  await batches.repeat();
  expect(counted.batches).toEqual([1, 7, 7, 7]);
  // Another shape takes another time.
  await batches.prepare(8);
  await batches.repeat();
  expect(counted.batches.slice(4)).toEqual([1, 7, 7]);
});

it("does what is slow alone, and what is too quick to tell no more than 64 times", async () => {
  for (const [milliseconds, times] of [[50, 1], [600, 1], [0.01, 64]] as const) {
    const clock = { ms: 0 };
    const counted = implementation(milliseconds, clock);
    const repetition = await new Batches(counted, () => null, () => clock.ms).repeat();
    expect(repetition.milliseconds).toBeCloseTo(milliseconds, 9);
    expect(repetition.cpuMs).toBeNull();
    expect(counted.batches.at(-1)).toBe(times);
    if (milliseconds === 600) expect(counted.batches).toEqual([1]);
  }
});
