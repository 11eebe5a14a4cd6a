import { measureCeilings } from "../device/ceiling.ts";
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
    throw new HeddleError("INVALID_ARGUMENT", `[profile] ${name} was compiled for a device without kernels to time; open one with openDevice({ device: "webgpu" }), or set HEDDLE_DEVICE=webgpu`);
  }
  const { device } = executable;
  const hasTimestamps = device.gpu.profile.features.has("timestamp-query");
  if (method === "timestamps" && !hasTimestamps) throw new HeddleError("INVALID_ARGUMENT", `[profile] ${device.description} has no timestamps; leave method out, or say "fenced"`);
  checkInputs(executable.program, tensors);
  signal?.throwIfAborted();
  const ceilings = await measureCeilings(device.gpu);
  using states = new SavedStates(device, executable.program.updates.keys());
  let measured: Measured;
  try {
    measured = await timeRuns(executable, tensors, method ?? (hasTimestamps ? "timestamps" : "fenced"), signal);
  } finally {
    if (!device.gpu.isLost) states.restore();
  }
  await executable.run(tensors, { read: false });
  await device.finish();
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
  if (method === "fenced") return { method, commands: record(), times: await timeFenced(device, record, signal), javascriptMs };
  const runs: Times[] = [];
  const deadlineMs = performance.now() + BUDGET_MS;
  while (runs.length < MIN_RUNS || (runs.length < MAX_RUNS && performance.now() < deadlineMs)) {
    signal?.throwIfAborted();
    runs.push(await timeByTimestamps(device, record(), runs.length > 0 ? totalMs(runs.at(-1)!) : 0));
  }
  return { method, commands: record(), times: meanOfFastest(runs), javascriptMs };
}

/** The faster half: what slowed the others down was not the program. The mean, as a median of quantised times is coarse. */
function meanOfFastest(runs: readonly Times[]): Times {
  const fastest = [...runs].sort((a, b) => totalMs(a) - totalMs(b)).slice(0, Math.ceil(runs.length / 2));
  const mean = (value: (times: Times) => number) => total(fastest, value) / fastest.length;
  return runs[0]!.map((_, i) => ({ startMs: mean((times) => times[i]!.startMs), ms: mean((times) => times[i]!.ms) }));
}

const totalMs = (times: Times) => total(times, ({ ms }) => ms);
