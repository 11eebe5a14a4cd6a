import { CpuDevice } from "../cpu/device.ts";
import { HeddleError } from "../errors.ts";
import { plan } from "../program/plan.ts";
import type { Program } from "../program/program.ts";
import type { WebGpuDevice } from "../webgpu/device.ts";
import { measureCeiling } from "./ceiling.ts";
import { rememberChoice, rememberedChoice } from "./choice-cache.ts";
import type { Device } from "./device.ts";
import { environment } from "./environment.ts";
import { openGpu, type Gpu } from "./gpu.ts";
import { openWebGpu, type OpenWebGpuOptions } from "./open-webgpu.ts";
import type { AdapterProfile } from "./profile.ts";

/** Work that stands for what a device will have to do, such as a model's forward pass on its first batch. */
export interface Trial {
  /** Equal keys are measured once on a machine. */
  readonly key: string;
  start(device: Device): TrialRun;
}

export interface TrialRun {
  readonly program: Program;
  run(): Promise<unknown>;
  dispose(): void;
}

export interface ChoiceOptions {
  /** What to measure where both the CPU and a software adapter could do the work; without it the CPU is taken. */
  trial?: Trial;
  /** Hears the choice and its reason, one line. Default: `console.warn`, as standard output may be data. */
  log?: (line: string) => void;
}

const REPEATS = 3;
const CEILING_BUDGET_MS = 150;
/** A software adapter whose multiply-adds alone would take this many times the CPU's time is not asked. */
const HOPELESS = 2;
/** Or it has this long for the trial, shaders to compile included. */
const PATIENCE_MS = 500;

// oxlint-disable-next-line no-console -- a choice made for the user is said aloud unless `log` takes it
const say = (line: string) => console.warn(line);

/** Whether "auto" takes an adapter without a question: a real GPU, or one that was `named`, where that is not undefined. */
export function takesAdapter({ kind }: AdapterProfile, named: unknown): boolean {
  return named !== undefined || kind !== "software";
}

/**
 * The adapter that was named, or a real GPU where there is one. Else the CPU by onnxruntime or a software adapter, whichever
 * does the trial faster.
 *
 * Throws NO_ADAPTER where there is neither.
 */
export async function chooseDevice({ trial, log = say, ...options }: ChoiceOptions & OpenWebGpuOptions & { threads?: number }): Promise<Device> {
  const gpu = await openGpu(options).catch((error: unknown) => (HeddleError.isInstance(error) && error.code === "NO_ADAPTER" ? error : Promise.reject(error)));
  // Who names an adapter, or brings a device, has chosen.
  const named = options.gpuDevice ?? options.adapter ?? environment("HEDDLE_ADAPTER");
  if ("profile" in gpu && takesAdapter(gpu.profile, named)) return openWebGpu(gpu, options);
  if (gpu instanceof HeddleError && named !== undefined) throw gpu;
  const cpu = await CpuDevice.open(options).catch((error: unknown) => (HeddleError.isInstance(error) && error.code === "PACKAGE_MISSING" ? error : Promise.reject(error)));
  if (cpu instanceof HeddleError) {
    if (gpu instanceof HeddleError) throw gpu;
    log(`[heddle] no GPU here, so ${gpu.profile.description} in software: slow. ${cpu.message.replace(/^\[cpu\] /, "")}`);
    return openWebGpu(gpu, options);
  }
  if (gpu instanceof HeddleError) {
    log(`[heddle] no WebGPU adapter here, so ${cpu.description}`);
    return cpu;
  }
  const software = await openWebGpu(gpu, options);
  const both = [cpu, software];
  const { winner, reason } = trial
    ? await decide(cpu, software, gpu, trial).catch((error: unknown) => {
        for (const device of both) device.dispose();
        throw error;
      })
    : { winner: cpu, reason: `no GPU here, and ${software.description} is WebGPU in software` };
  for (const device of both) if (device !== winner) device.dispose();
  log(`[heddle] ${winner.description}: ${reason}`);
  return winner;
}

interface Decision {
  readonly winner: CpuDevice | WebGpuDevice;
  readonly reason: string;
}

async function decide(cpu: CpuDevice, software: WebGpuDevice, gpu: Gpu, trial: Trial): Promise<Decision> {
  const key = [trial.key, cpu.description, software.description].join(" | ");
  const remembered = await rememberedChoice(key);
  if (remembered) return { winner: remembered.kind === "cpu" ? cpu : software, reason: `${remembered.reason} (measured before)` };
  const decision = await measure(cpu, software, gpu, trial);
  await rememberChoice(key, { kind: decision.winner.kind, reason: decision.reason });
  return decision;
}

async function measure(cpu: CpuDevice, software: WebGpuDevice, gpu: Gpu, trial: Trial): Promise<Decision> {
  const onCpu = trial.start(cpu);
  const cpuMs = await fastest(onCpu).finally(() => onCpu.dispose());
  const flops = plan(onCpu.program, gpu.profile).commands.reduce((sum, command) => sum + (command.kind === "dispatch" ? command.flops : 0), 0);
  // Compiling shaders takes a software adapter seconds: not where even its multiply-adds alone would take longer.
  const leastMs = flops / (await measureCeiling(gpu, CEILING_BUDGET_MS)) / 1e6;
  if (leastMs > HOPELESS * cpuMs) return { winner: cpu, reason: `${ms(cpuMs)} for ${trial.key}, where ${software.description} needs ${ms(leastMs)} at the least` };
  const onSoftware = trial.start(software);
  const softwareMs = await within(fastest(onSoftware), PATIENCE_MS);
  if (softwareMs !== null) onSoftware.dispose();
  const spelled = softwareMs === null ? "did not finish in time" : `takes ${ms(softwareMs)}`;
  return softwareMs !== null && softwareMs < cpuMs
    ? { winner: software, reason: `${ms(softwareMs)} for ${trial.key}, where ${cpu.description} takes ${ms(cpuMs)}` }
    : { winner: cpu, reason: `${ms(cpuMs)} for ${trial.key}, where ${software.description} ${spelled}` };
}

/** The first run makes the program ready and does not count. */
async function fastest(trial: TrialRun): Promise<number> {
  await trial.run();
  return fastestMs(() => trial.run(), REPEATS);
}

/** The shortest of some repetitions. */
export async function fastestMs(work: () => Promise<unknown>, repeats: number): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < repeats; i++) {
    const startMs = performance.now();
    await work();
    best = Math.min(best, performance.now() - startMs);
  }
  return best;
}

/** Null where `work` takes longer, or fails. */
async function within(work: Promise<number>, limitMs: number): Promise<number | null> {
  let timer: ReturnType<typeof setTimeout>;
  const timeout = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), limitMs)));
  return Promise.race([work.catch(() => null), timeout]).finally(() => clearTimeout(timer));
}

const ms = (value: number) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
