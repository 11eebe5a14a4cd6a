/** Rates of one work, by one clock. */
export interface Rates {
  /** Of one repetition. */
  readonly ms: number;
  readonly gflops: number;
  /** Null where bytes are not counted. */
  readonly gbps: number | null;
  /** Of what the adapter's own ceilings allow, measured by the same clock in the same run: 1 is all of it. */
  readonly ofCeiling: number;
}

/** One line of a benchmark's table and of its JSON. */
export interface Row {
  readonly work: string;
  readonly shape: string;
  readonly wall: Rates;
  /** By CPU time of the driver's threads, as if all cores had worked on nothing else; null on a GPU and where the system does not tell. */
  readonly cpu: Rates | null;
  readonly dispatches: number;
  /** CPU time that JavaScript takes to queue one repetition, divided by its dispatches; null for single kernels. */
  readonly javascriptMicrosecondsPerDispatch: number | null;
}

/** What the adapter does at most, by one clock. */
export interface CeilingRates {
  readonly gflops: number;
  readonly gbps: number;
}

/** The roofline (Williams, Waterman & Patterson 2009): the arithmetic or the memory, whichever takes longer. */
export function ratesOf(flops: number, bytes: number | null, ms: number, ceiling: CeilingRates): Rates {
  const leastMs = Math.max(flops / ceiling.gflops, (bytes ?? 0) / ceiling.gbps) / 1e6;
  return { ms, gflops: flops / ms / 1e6, gbps: bytes === null ? null : bytes / ms / 1e6, ofCeiling: leastMs / ms };
}

const columns = [32, 22, 10, 9, 8, 8, 9, 8, 6, 8] as const;

export const header = line(["work", "shape", "ms", "GFLOP/s", "GB/s", "of ceil.", "cpu2 ms", "of ceil.", "disp.", "µs JS/d"]);

export function formatRow({ work, shape, wall, cpu, dispatches, javascriptMicrosecondsPerDispatch }: Row): string {
  const best = cpu ?? wall;
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  return line([work, shape, wall.ms.toFixed(3), best.gflops.toFixed(1), best.gbps?.toFixed(2) ?? "", percent(wall.ofCeiling), cpu ? cpu.ms.toFixed(3) : "", cpu ? percent(cpu.ofCeiling) : "", String(dispatches), javascriptMicrosecondsPerDispatch?.toFixed(1) ?? ""]);
}

function line(cells: readonly string[]): string {
  return cells.map((cell, i) => (i < 2 ? cell.padEnd(columns[i]!) : cell.padStart(columns[i]!))).join(" ");
}
