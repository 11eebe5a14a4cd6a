import type { Ceilings } from "../device/ceiling.ts";
import type { RecordedCommand } from "../webgpu/recorded.ts";

/** All dispatches of one run that share a kernel. */
export interface ProfileRow {
  /** The kernel's label, such as `matmul/quad/16x8/f32`; `copy` for copies between buffers. */
  readonly label: string;
  /** Dispatches or copies a run. */
  readonly calls: number;
  /** Of all calls of one run. */
  readonly ms: number;
  /** Of the time of all kernels: 1 is all of it. */
  readonly share: number;
  /** The algorithm's operations and bytes by time, not what the kernel happens to do. */
  readonly gflops: number;
  readonly gbps: number;
  /**
   * Of what the adapter's ceilings allow, by the roofline (Williams, Waterman & Patterson 2009): the arithmetic or the bytes,
   * whichever takes longer. 1 is all of it; a kernel whose tensors stay in a cache can pass it.
   */
  readonly ofCeiling: number;
}

/** One command of one run, for a time line. */
export interface ProfileSpan {
  readonly label: string;
  readonly startMs: number;
  readonly ms: number;
  readonly workgroups: readonly [number, number, number] | null;
  readonly flops: number;
  readonly bytes: number;
}

export interface ProfileReport {
  /** The program's name, as given to `compile`. */
  readonly program: string;
  readonly adapter: string;
  /** `timestamps`: by the GPU, in the order of a run. `fenced`: each kernel alone, repeated, by the host's clock. */
  readonly method: "timestamps" | "fenced";
  readonly ceilings: Ceilings;
  /** The slowest kernel first. */
  readonly rows: readonly ProfileRow[];
  /** Time in kernels and copies of one run. */
  readonly totalMs: number;
  readonly dispatches: number;
  /** Time that JavaScript takes to queue one run: the fastest of some. */
  readonly javascriptMs: number;
  /** Every command in order. */
  readonly spans: readonly ProfileSpan[];
}

/** When each command of a run ran. */
export type Times = readonly { readonly startMs: number; readonly ms: number }[];

export function spansOf(commands: readonly RecordedCommand[], times: Times): ProfileSpan[] {
  return commands.map((command, i) =>
    command.kind === "dispatch"
      ? { label: command.spec.kernel.label, ...times[i]!, workgroups: command.spec.workgroups, flops: command.spec.flops, bytes: command.spec.bytes }
      : { label: command.kind, ...times[i]!, workgroups: null, flops: 0, bytes: (command.kind === "copy" ? 2 : 1) * command.bytes },
  );
}

export function rowsOf(spans: readonly ProfileSpan[], { multiplyAddGflops, copyGBps }: Ceilings): ProfileRow[] {
  const groups = new Map<string, ProfileSpan[]>();
  for (const span of spans) groups.set(span.label, [...(groups.get(span.label) ?? []), span]);
  const totalMs = total(spans, ({ ms }) => ms);
  const rows = [...groups].map(([label, group]) => {
    const ms = total(group, (span) => span.ms);
    const leastMs = total(group, ({ flops, bytes }) => Math.max(flops / multiplyAddGflops, bytes / copyGBps) / 1e6);
    const perMs = (amount: number) => (ms > 0 ? amount / ms : 0);
    return { label, calls: group.length, ms, share: totalMs > 0 ? ms / totalMs : 0, gflops: perMs(total(group, ({ flops }) => flops)) / 1e6, gbps: perMs(total(group, ({ bytes }) => bytes)) / 1e6, ofCeiling: perMs(leastMs) };
  });
  return rows.sort((a, b) => b.ms - a.ms);
}

export const total = <T>(items: readonly T[], amount: (item: T) => number): number => items.reduce((sum, item) => sum + amount(item), 0);
