import type { ProfileReport } from "./report.ts";

/** An event of the Trace Event Format: `X` is a complete event, `M` names a process or thread. Times in microseconds. */
export interface ChromeTraceEvent {
  readonly name: string;
  readonly ph: "X" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

export interface ChromeTrace {
  readonly traceEvents: readonly ChromeTraceEvent[];
  readonly displayTimeUnit: "ms";
  readonly otherData: Readonly<Record<string, unknown>>;
}

const [PROCESS, JAVASCRIPT, GPU] = [1, 1, 2] as const;

/**
 * One run as a time line, in the Trace Event Format: as a JSON file, chrome://tracing and https://ui.perfetto.dev open it. The
 * run is queued first and runs then, so that both can be read; in fact they overlap.
 */
export function toChromeTrace({ program, adapter, method, ceilings, javascriptMs, spans, totalMs, dispatches }: ProfileReport): ChromeTrace {
  const name = (what: "process_name" | "thread_name", tid: number, text: string): ChromeTraceEvent => ({ name: what, ph: "M", pid: PROCESS, tid, args: { name: text } });
  const kernels = spans.map(({ label, startMs, ms, workgroups, flops, bytes }): ChromeTraceEvent => ({
    name: label,
    ph: "X",
    cat: workgroups ? "kernel" : "copy",
    pid: PROCESS,
    tid: GPU,
    ts: 1e3 * (javascriptMs + startMs),
    dur: 1e3 * ms,
    args: { ...(workgroups && { workgroups: workgroups.join(" × ") }), flops, bytes, ...(ms > 0 && { gflops: flops / ms / 1e6, gbps: bytes / ms / 1e6 }) },
  }));
  return {
    traceEvents: [
      name("process_name", JAVASCRIPT, program),
      name("thread_name", JAVASCRIPT, "JavaScript"),
      name("thread_name", GPU, adapter),
      { name: `queue ${dispatches} dispatches`, ph: "X", cat: "host", pid: PROCESS, tid: JAVASCRIPT, ts: 0, dur: 1e3 * javascriptMs },
      ...kernels,
    ],
    displayTimeUnit: "ms",
    otherData: { program, adapter, method, ceilings, totalMs, dispatches, javascriptMs },
  };
}
