import { BufferUsage } from "../memory/usage.ts";
import { copy, MULTIPLY_ADD, type CeilingKernel } from "./ceiling.wgsl.ts";
import type { Gpu } from "./gpu.ts";
import type { AdapterProfile } from "./profile.ts";
import { politely } from "./polite-wait.ts";

/** Long enough to time; a software adapter gets there at once, a large GPU after some doublings. */
const TARGET_MS = 60;
const REPEATS = 3;
/** More than caches hold. */
const COPIED_BYTES = 64 * 1024 * 1024;
/** The largest GPUs' caches hold 60 MB. */
const COPIED_BYTES_ON_DISCRETE = 192 * 1024 * 1024;
/** On a software adapter instructions are the limit, and the same for any size; larger ones only take longer. */
const COPIED_BYTES_IN_SOFTWARE = 16 * 1024 * 1024;
const BUDGET_MS = 700;

/** What no kernel does better on this adapter. */
export interface Ceilings {
  /** f32 multiply-adds, one being two operations. */
  readonly multiplyAddGflops: number;
  /** A kernel that reads a large buffer and writes another; bytes read and bytes written both count. */
  readonly copyGBps: number;
}

/**
 * The most f32 multiply-adds a second that this adapter does, in GFLOP/s: the ceiling that kernels are held against. Takes
 * less than a second once its kernel is compiled.
 *
 * @param budgetMs for repetitions; the shorter, the rougher
 */
export async function measureCeiling(gpu: Gpu, budgetMs = BUDGET_MS): Promise<number> {
  using probe = await CeilingProbe.open(gpu, MULTIPLY_ADD);
  return (await probe.best(budgetMs)) / 1e6;
}

/** Both ceilings, measured one after the other by wall time; about two seconds. */
export async function measureCeilings(gpu: Gpu): Promise<Ceilings> {
  using probes = await openCeilingProbes(gpu);
  return { multiplyAddGflops: (await probes.multiplyAdd.best(BUDGET_MS)) / 1e6, copyGBps: (await probes.copy.best(BUDGET_MS)) / 1e6 };
}

/** The ceilings' kernels, for whoever times them in turn with other work: on a shared host only such ratios hold. */
export interface CeilingProbes {
  /** Its units are floating-point operations. */
  readonly multiplyAdd: CeilingProbe;
  /** Its units are bytes. */
  readonly copy: CeilingProbe;
  [Symbol.dispose](): void;
}

/** Compiles both kernels and finds how often to repeat them. Dispose of the probes after use: the copied buffers are large. */
export async function openCeilingProbes(gpu: Gpu): Promise<CeilingProbes> {
  const multiplyAdd = await CeilingProbe.open(gpu, MULTIPLY_ADD);
  try {
    const copying = await CeilingProbe.open(gpu, copy(copiedBytes(gpu.profile)));
    const dispose = () => [multiplyAdd, copying].forEach((probe) => probe[Symbol.dispose]());
    return { multiplyAdd, copy: copying, [Symbol.dispose]: dispose };
  } catch (error) {
    multiplyAdd[Symbol.dispose]();
    throw error;
  }
}

function copiedBytes({ kind, maxStorageBufferBindingSize }: AdapterProfile): number {
  if (kind === "software") return COPIED_BYTES_IN_SOFTWARE;
  return kind === "discrete" && maxStorageBufferBindingSize >= COPIED_BYTES_ON_DISCRETE ? COPIED_BYTES_ON_DISCRETE : COPIED_BYTES;
}

/** A kernel that does one thing only, repeated often enough to be timed. */
export class CeilingProbe {
  private turns = 1;
  private lastMs = 0;

  private constructor(
    private readonly gpu: Gpu,
    private readonly kernel: CeilingKernel,
    private readonly pipeline: GPUComputePipeline,
    private readonly bindGroup: GPUBindGroup,
    /** How many turns the kernel's loop takes; null where whole dispatches are repeated. */
    private readonly turnsUniform: GPUBuffer | null,
    private readonly release: () => void,
  ) {}

  static async open(gpu: Gpu, kernel: CeilingKernel): Promise<CeilingProbe> {
    const { device } = gpu;
    const { label, code } = kernel;
    const scope = gpu.pool.scope();
    try {
      const buffers = kernel.elements.map((elements, i) => scope.allocate(`${label}/${i}`, elements * 4, BufferUsage.STORAGE));
      const uniform = kernel.turns === "loop" ? scope.allocate(`${label}/turns`, 16, BufferUsage.UNIFORM | BufferUsage.COPY_DST) : null;
      if (uniform) buffers.push(uniform);
      const pipeline = await gpu.withErrorScope(label, () =>
        device.createComputePipelineAsync({ label, layout: "auto", compute: { module: device.createShaderModule({ label, code }), entryPoint: "main" } }),
      );
      const bindGroup = device.createBindGroup({ label, layout: pipeline.getBindGroupLayout(0), entries: buffers.map(({ buffer }, binding) => ({ binding, resource: { buffer } })) });
      const probe = new CeilingProbe(gpu, kernel, pipeline, bindGroup, uniform?.buffer ?? null, () => scope.dispose());
      // Drivers compile at the first dispatch.
      await probe.run();
      await probe.settle(performance.now() + BUDGET_MS);
      return probe;
    } catch (error) {
      scope.dispose();
      throw error;
    }
  }

  /** Operations or bytes of one `run`. */
  get units(): number {
    return this.turns * this.kernel.unitsPerTurn;
  }

  /** Runs for some tens of milliseconds on an idle adapter, and says how many. */
  async run(): Promise<number> {
    const { gpu, kernel, turns, turnsUniform } = this;
    if (turnsUniform) gpu.device.queue.writeBuffer(turnsUniform, 0, new Uint32Array([turns, 0, 0, 0]));
    const encoder = gpu.device.createCommandEncoder({ label: kernel.label });
    const pass = encoder.beginComputePass({ label: kernel.label });
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.bindGroup);
    for (let i = 0; i < (turnsUniform ? 1 : turns); i++) pass.dispatchWorkgroups(kernel.workgroups);
    pass.end();
    const startMs = performance.now();
    gpu.device.queue.submit([encoder.finish()]);
    await politely(gpu.profile, this.lastMs);
    await gpu.guardLost(gpu.device.queue.onSubmittedWorkDone());
    this.lastMs = performance.now() - startMs;
    return this.lastMs;
  }

  /** Units a millisecond, in the fastest of the runs that the budget allows, by wall time. */
  async best(budgetMs: number): Promise<number> {
    const deadlineMs = performance.now() + budgetMs;
    let best = this.lastMs;
    for (let i = 0; i < REPEATS && performance.now() + best < deadlineMs; i++) best = Math.min(best, await this.run());
    return this.units / best;
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** Repeats until a run is long enough, or the deadline comes. */
  private async settle(deadlineMs: number): Promise<void> {
    let elapsedMs = await this.run();
    while (elapsedMs < TARGET_MS / 2 && performance.now() < deadlineMs) {
      this.turns *= Math.min(16, Math.max(2, Math.floor(TARGET_MS / elapsedMs)));
      this.lastMs = 0;
      elapsedMs = await this.run();
    }
  }
}
