import { HeddleError } from "../errors.ts";
import type { Program } from "../program/program.ts";
import { tuneProgram, type TuneEvent } from "../tune/tune-program.ts";
import { Winners } from "../tune/winners.ts";
import { WebGpuDevice, type WebGpuDeviceOptions } from "../webgpu/device.ts";
import { environment } from "./environment.ts";
import type { Gpu, GpuOptions } from "./gpu.ts";

const TUNE_MODES = ["off", "cached", "full"] as const;
export type TuneMode = (typeof TUNE_MODES)[number];

export interface TuningOptions {
  /**
   * How an op's kernels are chosen where it has several designs. `off`: the default of the adapter's class. `cached`, the
   * default: what was measured earlier on this machine, else that. `full`: before a compiled function runs for the first time,
   * what nobody has measured yet is measured, and kept for later. HEDDLE_TUNE sets it where the option is left out.
   */
  tune?: TuneMode;
  /** What `full` may take for compiling and measuring, for each program. Default: 10,000. */
  tuneBudgetMs?: number;
  /** Hears what `full` measures. */
  onTune?: (event: TuneEvent) => void;
}

export interface OpenWebGpuOptions extends GpuOptions, WebGpuDeviceOptions, TuningOptions {}

/** Throws INVALID_ARGUMENT for an unknown mode of tuning. */
export async function openWebGpu(gpu: Gpu, options: OpenWebGpuOptions = {}): Promise<WebGpuDevice> {
  const { tune = environment("HEDDLE_TUNE") ?? "cached", tuneBudgetMs: budgetMs, onTune: onProgress } = options;
  if (!isTuneMode(tune)) {
    gpu.dispose();
    throw new HeddleError("INVALID_ARGUMENT", `[device] tune is "${tune}"; choose ${TUNE_MODES.join(", ")}, in the option \`tune\` or in HEDDLE_TUNE`);
  }
  const designs = tune === "off" ? undefined : await Winners.load(gpu.profile);
  const tuner = tune === "full" ? { measureFor: async (device: WebGpuDevice, program: Program, signal?: AbortSignal) => void (await tuneProgram(device, program, { budgetMs, onProgress, signal })) } : undefined;
  return new WebGpuDevice(gpu, { ...options, designs, tuner });
}

function isTuneMode(name: string): name is TuneMode {
  return (TUNE_MODES as readonly string[]).includes(name);
}
