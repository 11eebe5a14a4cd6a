import { readdirSync, readFileSync } from "node:fs";

/** What one piece of work costs, by the clock and by the processor. */
export interface Timing {
  /** Median wall time of one repetition. */
  readonly wallMs: number;
  /** CPU time of all threads but JavaScript's: on a software adapter, the shaders. Null where the system does not tell. */
  readonly driverCpuMs: number | null;
}

/** Runs the works in turn, A B A B …, so that a drifting machine slows all of them alike. */
export async function interleave(works: readonly (() => Promise<void>)[], rounds: number): Promise<Timing[]> {
  const samples = works.map(() => [] as { wallMs: number; driverCpuMs: number | null }[]);
  for (const work of works) await work();
  for (let round = 0; round < rounds; round++) {
    for (const [i, work] of works.entries()) {
      const [startMs, startCpuMs] = [performance.now(), driverCpuMs()];
      await work();
      const cpuMs = driverCpuMs();
      samples[i]!.push({ wallMs: performance.now() - startMs, driverCpuMs: cpuMs === null || startCpuMs === null ? null : cpuMs - startCpuMs });
    }
  }
  return samples.map((runs) => ({
    wallMs: median(runs.map((run) => run.wallMs)),
    driverCpuMs: runs.some((run) => run.driverCpuMs === null) ? null : median(runs.map((run) => run.driverCpuMs!)),
  }));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

/** Rate by wall time, and by CPU time as if all cores had worked on nothing else: on shared hosts the second one moves less. */
export function gflops(flops: number, { wallMs, driverCpuMs }: Timing, cores: number): { wall: number; cpu: number | null } {
  return { wall: flops / wallMs / 1e6, cpu: driverCpuMs === null ? null : flops / (driverCpuMs / cores) / 1e6 };
}

function driverCpuMs(): number | null {
  try {
    let nanoseconds = 0;
    for (const thread of readdirSync("/proc/self/task")) {
      if (Number(thread) !== process.pid) nanoseconds += Number(readFileSync(`/proc/self/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    }
    return nanoseconds / 1e6;
  } catch {
    return null;
  }
}
