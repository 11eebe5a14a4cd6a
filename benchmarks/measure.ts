import { readdirSync, readFileSync } from "node:fs";

/** What one piece of work costs, by the clock and by the processor. */
export interface Timing {
  /** Median wall time of one repetition. */
  readonly wallMs: number;
  /** CPU time of all threads but JavaScript's: on a software adapter, the shaders. Null where the system does not tell. */
  readonly driverCpuMs: number | null;
}

/** Runs the works in turn, A B A B …, so that a drifting machine slows all of them alike. Warm them up before. */
export async function interleave(works: readonly (() => Promise<unknown>)[], rounds: number): Promise<Timing[]> {
  const samples = works.map(() => [] as Timing[]);
  for (let round = 0; round < rounds; round++) {
    for (const [i, work] of works.entries()) samples[i]!.push(await timed(work));
  }
  return samples.map((runs) => ({
    wallMs: median(runs.map((run) => run.wallMs)),
    driverCpuMs: runs.some((run) => run.driverCpuMs === null) ? null : median(runs.map((run) => run.driverCpuMs!)),
  }));
}

export async function timed(work: () => Promise<unknown>): Promise<Timing> {
  const [startMs, startCpuMs] = [performance.now(), driverCpuMs()];
  await work();
  const cpuMs = driverCpuMs();
  return { wallMs: performance.now() - startMs, driverCpuMs: cpuMs === null || startCpuMs === null ? null : cpuMs - startCpuMs };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

/** CPU time of JavaScript's own thread; null where the system does not tell. Systems count in steps of some milliseconds. */
export const javascriptCpuMs = () => cpuMs((thread) => thread === process.pid);

/** CPU time of this process's threads but JavaScript's so far. Null where the system does not tell. */
export const driverCpuMs = () => cpuMs((thread) => thread !== process.pid);

function cpuMs(counts: (thread: number) => boolean): number | null {
  try {
    let nanoseconds = 0;
    for (const thread of readdirSync("/proc/self/task")) {
      if (counts(Number(thread))) nanoseconds += Number(readFileSync(`/proc/self/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    }
    return nanoseconds / 1e6;
  } catch {
    return null;
  }
}
