import { measureCeilings, openCeilingProbes, type Ceilings } from "../device/ceiling.ts";
import { HeddleError } from "../errors.ts";
import { checkInputs } from "../program/check-inputs.ts";
import type { CompiledFunction, RunInputs } from "../program/compile.ts";
import type { HostTensor } from "../program/types.ts";
import { WebGpuExecutable } from "../webgpu/executable.ts";
import type { RecordedCommand } from "../webgpu/recorded.ts";
import { timeFenced } from "./fenced.ts";
import { rowsOf, spansOf, total, type ProfileReport, type Times } from "./report.ts";
import { SavedStates } from "./saved-states.ts";
import { timeByTimestamps } from "./timestamps.ts";

export interface ProfileOptions {
  /** Stops between two runs; the states are then as before. */
  readonly signal?: AbortSignal;
  /** `timestamps` where the adapter has them, else `fenced`. */
  readonly method?: "timestamps" | "fenced";
}

/** Enough runs for quantised timestamps to average out, as long as they fit into the budget. */
const [MIN_RUNS, MAX_RUNS, BUDGET_MS] = [4, 24, 3000];
const JAVASCRIPT_RUNS = 10;

/**
 * What each kernel of a run costs: calls, time, arithmetic, bytes, and the share of what the adapter can do, whose ceilings are
 * measured too. It takes some seconds. The program runs many times, and ends up as if it had run once: states have what one run
 * leaves in them. Nothing else may use those states meanwhile.
 *
 * @param compiled a function compiled for a WebGPU device
 * @param inputs as for `compiled.run`
 * @throws INVALID_ARGUMENT on a device that has no kernels; what `run` throws; the signal's reason
 */
export async function profile(compiled: CompiledFunction, inputs: RunInputs, { signal, method }: ProfileOptions = {}): Promise<ProfileReport> {
  const { executable, tensors } = compiled.prepare(inputs);
  const { name } = executable.program;
  if (!(executable instanceof WebGpuExecutable)) {
    throw new HeddleError("INVALID_ARGUMENT", `[profile] ${name} was compiled for a device without kernels to time; choose webgpu, as openDevice({ device: "webgpu" }) or --device webgpu does`);
  }
  const { device } = executable;
  const hasTimestamps = device.gpu.profile.features.has("timestamp-query");
  if (method === "timestamps" && !hasTimestamps) throw new HeddleError("INVALID_ARGUMENT", `[profile] ${device.description} has no timestamps; leave method out, or say "fenced"`);
  checkInputs(executable.program, tensors);
  signal?.throwIfAborted();
  using states = new SavedStates(device, executable.program.updates.keys());
  let measured: Measured;
  try {
    measured = await timeRuns(executable, tensors, method ?? (hasTimestamps ? "timestamps" : "fenced"), signal);
  } finally {
    if (!device.gpu.isLost) states.restore();
  }
  await executable.run(tensors, { read: false });
  await device.finish();
  const { ceilings } = measured;
  const spans = spansOf(measured.commands, measured.times);
  return {
    program: name,
    adapter: device.description,
    method: measured.method,
    ceilings,
    rows: rowsOf(spans, ceilings),
    totalMs: total(spans, ({ ms }) => ms),
    dispatches: measured.commands.filter(({ kind }) => kind === "dispatch").length,
    javascriptMs: measured.javascriptMs,
    spans,
  };
}

interface Measured {
  readonly method: ProfileReport["method"];
  readonly commands: readonly RecordedCommand[];
  readonly times: Times;
  readonly ceilings: Ceilings;
  readonly javascriptMs: number;
}

async function timeRuns(executable: WebGpuExecutable, tensors: Readonly<Record<string, HostTensor>>, method: ProfileReport["method"], signal?: AbortSignal): Promise<Measured> {
  const { device } = executable;
  // Drivers compile at the first run.
  await executable.run(tensors, { read: false });
  await device.finish();
  const startMs = performance.now();
  let javascriptMs = Infinity;
  for (let i = 0; i < JAVASCRIPT_RUNS && performance.now() < startMs + BUDGET_MS; i++) {
    signal?.throwIfAborted();
    const queuedMs = performance.now();
    await executable.run(tensors, { read: false });
    javascriptMs = Math.min(javascriptMs, performance.now() - queuedMs);
    await device.finish();
  }
  const pipelines = await executable.buildPipelines();
  const record = () => executable.record(pipelines, tensors);
  if (method === "fenced") return { method, commands: record(), times: await timeFenced(device, record, signal), ceilings: await measureCeilings(device.gpu), javascriptMs };
  using probes = await openCeilingProbes(device.gpu);
  const runs: Run[] = [];
  const deadlineMs = performance.now() + BUDGET_MS;
  while (runs.length < MIN_RUNS || (runs.length < MAX_RUNS && performance.now() < deadlineMs)) {
    signal?.throwIfAborted();
    const times = await timeByTimestamps(device, record(), runs.at(-1)?.totalMs ?? 0);
    // Beside each run, so that a host that others use slows the ceilings as it slows the kernels.
    runs.push({ times, totalMs: total(times, ({ ms }) => ms), multiplyAddMs: await probes.multiplyAdd.run(), copyMs: await probes.copy.run() });
  }
  // What slowed the other half down was not the program.
  const fastest = <T>(value: (run: Run) => T, key: (run: Run) => number) => [...runs].sort((a, b) => key(a) - key(b)).slice(0, Math.ceil(runs.length / 2)).map(value);
  const byTotal = fastest(({ times }) => times, (run) => run.totalMs);
  // Means, as a median of quantised times is coarse.
  const times = byTotal[0]!.map((_, i) => ({ startMs: mean(byTotal.map((run) => run[i]!.startMs)), ms: mean(byTotal.map((run) => run[i]!.ms)) }));
  const rate = (units: number, key: (run: Run) => number) => units / mean(fastest(key, key)) / 1e6;
  const ceilings = { multiplyAddGflops: rate(probes.multiplyAdd.units, (run) => run.multiplyAddMs), copyGBps: rate(probes.copy.units, (run) => run.copyMs) };
  return { method, commands: record(), times, ceilings, javascriptMs };
}

interface Run {
  readonly times: Times;
  readonly totalMs: number;
  readonly multiplyAddMs: number;
  readonly copyMs: number;
}

const mean = (values: readonly number[]) => total(values, (value) => value) / values.length;
