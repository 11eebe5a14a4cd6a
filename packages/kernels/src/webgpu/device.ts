import { checkStatesLiveOn, noInt8 } from "../device/check-program.ts";
import type { Device, Executable, PrepareOptions, State, StateSpec } from "../device/device.ts";
import type { Gpu } from "../device/gpu.ts";
import { politely } from "../device/polite-wait.ts";
import { hostMemoryBytes } from "../device/environment.ts";
import { HeddleError } from "../errors.ts";
import { shippedDesigns, type Designs } from "../program/design.ts";
import type { Program } from "../program/program.ts";
import { dataBytes, type HostTensor, type TensorType } from "../program/types.ts";
import { WebGpuExecutable } from "./executable.ts";
import { PipelineCache } from "./pipelines.ts";
import { QueueClock } from "./queue-clock.ts";
import { readBuffers } from "./readback.ts";
import { WebGpuState } from "./state.ts";
import { Submitter } from "./submitter.ts";
import { Workspace } from "./workspace.ts";

/** Measures before a program is prepared for the first time. */
export interface Tuner {
  measureFor(device: WebGpuDevice, program: Program, signal?: AbortSignal): Promise<void>;
}

export interface WebGpuDeviceOptions {
  /** Milliseconds of work, about, after which a program goes on in another submission. Default: 50 in a page, so that it can draw in between, no limit in Node. */
  maxSubmissionMs?: number;
}

/** How nodes with several lowerings are lowered. */
export interface DesignOptions {
  /** Default: the shipped design of the adapter's class. */
  designs?: Designs;
  /** Absent: nothing is measured. */
  tuner?: Tuner;
}

/** How often the host talked to the GPU; tests and profiles read it. */
export interface Traffic {
  submissions: number;
  dispatches: number;
  uploads: number;
  readbacks: number;
}

/** Queued runs without a read after which `run` waits: an unbounded queue is unbounded memory in the driver. */
const MAX_UNREAD_RUNS = 64;
/** States are read in pieces of this size, so that a checkpoint needs little staging memory. */
const READ_CHUNK_BYTES = 64 * 1024 * 1024;

export class WebGpuDevice implements Device {
  readonly kind = "webgpu";
  readonly pipelines: PipelineCache;
  readonly workspace: Workspace;
  readonly clock = new QueueClock();
  readonly traffic: Traffic = { submissions: 0, dispatches: 0, uploads: 0, readbacks: 0 };
  readonly maxSubmissionMs: number;
  readonly designs: Designs;
  readonly measureFor?: (program: Program, signal?: AbortSignal) => Promise<void>;
  private unreadRuns = 0;

  constructor(
    readonly gpu: Gpu,
    { maxSubmissionMs = "process" in globalThis ? Infinity : 50, designs = shippedDesigns, tuner }: WebGpuDeviceOptions & DesignOptions = {},
  ) {
    this.pipelines = new PipelineCache(gpu);
    this.workspace = new Workspace(gpu.pool);
    this.maxSubmissionMs = maxSubmissionMs;
    this.designs = designs;
    if (tuner) this.measureFor = (program, signal) => tuner.measureFor(this, program, signal);
  }

  get description(): string {
    return this.gpu.profile.description;
  }

  get memory(): { readonly currentBytes: number; readonly peakBytes: number } {
    return this.gpu.pool;
  }

  /** WebGPU does not tell how much memory a GPU has; in software it is the host's. */
  get capacity(): { readonly stateBytes: number; readonly totalBytes: number } {
    const { kind, maxBufferSize } = this.gpu.profile;
    return { stateBytes: maxBufferSize, totalBytes: kind === "software" ? hostMemoryBytes() : Infinity };
  }

  createState(name: string, type: TensorType, data?: HostTensor["data"]): State {
    const [state] = this.createStates([{ name, type }]);
    if (data) state!.write(data);
    return state!;
  }

  createStates(specs: readonly StateSpec[]): State[] {
    this.gpu.assertUsable();
    return WebGpuState.create(this, specs);
  }

  async readStates(states: readonly State[]): Promise<HostTensor["data"][]> {
    this.gpu.assertUsable();
    const results: HostTensor["data"][] = [];
    let batch: { buffer: GPUBuffer; offset: number; type: TensorType }[] = [];
    let bytes = 0;
    const flush = async () => {
      if (batch.length > 0) results.push(...(await readBuffers(this, batch)));
      batch = [];
      bytes = 0;
    };
    for (const state of states) {
      if (state.disposed) throw new HeddleError("DISPOSED", `[state ${state.name}] was disposed; read it before disposing of its model`);
      const size = dataBytes(state.type);
      if (bytes + size > READ_CHUNK_BYTES) await flush();
      const { buffer, part } = state as WebGpuState;
      batch.push({ buffer, offset: part.offsetBytes, type: state.type });
      bytes += size;
    }
    await flush();
    return results;
  }

  prepare(program: Program, { int8 }: PrepareOptions = {}): Executable {
    if (int8) throw noInt8(program, this);
    this.gpu.assertUsable();
    checkStatesLiveOn(program, this);
    return new WebGpuExecutable(this, program);
  }

  /** For the commands of one run. */
  submitter(label: string): Submitter {
    return new Submitter(this.gpu.device, label, this.clock.costWithin(this.maxSubmissionMs));
  }

  /** Keeps the queue of runs that nobody reads finite. */
  async throttle(read: boolean): Promise<void> {
    this.unreadRuns = read ? 0 : this.unreadRuns + 1;
    if (this.unreadRuns >= MAX_UNREAD_RUNS) await this.finish();
  }

  async finish(): Promise<void> {
    this.gpu.assertUsable();
    const startMs = performance.now();
    await politely(this.gpu.profile, this.clock.expectedMs);
    const awakeMs = performance.now();
    await this.gpu.guardLost(this.gpu.device.queue.onSubmittedWorkDone());
    this.unreadRuns = 0;
    this.clock.done(awakeMs - startMs, performance.now() - awakeMs);
  }

  dispose(): void {
    this.gpu.dispose();
  }
}
