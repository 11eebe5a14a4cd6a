import { checkStatesAlive, outputsToRead } from "../device/check-program.ts";
import type { Executable, MemoryPlan, RunOptions } from "../device/device.ts";
import { HeddleError } from "../errors.ts";
import type { PooledBuffer } from "../memory/pool.ts";
import { BufferUsage } from "../memory/usage.ts";
import { checkInputs } from "../program/check-inputs.ts";
import { packParams, paramsByteLength } from "../program/kernel.ts";
import { plan, type Plan } from "../program/plan.ts";
import type { Program } from "../program/program.ts";
import type { BufferRef } from "../program/lowering.ts";
import { copyBytes, storageBytes, type HostTensor } from "../program/types.ts";
import type { WebGpuDevice } from "./device.ts";
import type { Pipeline } from "./pipelines.ts";
import { mapAndCopy } from "./readback.ts";
import type { BufferPlace, RecordedCommand } from "./recorded.ts";
import type { WebGpuState } from "./state.ts";
import { costOf } from "./queue-clock.ts";

/** Buffers of one plan beside the shared workspace. Null where the plan has no use for one. */
interface Resources {
  readonly upload: PooledBuffer | null;
  readonly params: PooledBuffer | null;
  readonly readback: PooledBuffer | null;
}

/** A plan on the GPU: one upload, the recorded dispatches, one readback. */
export class WebGpuExecutable implements Executable {
  private readonly plan: Plan;
  private resources: Resources | null = null;
  private pipelines: Promise<Pipeline[]> | null = null;
  private recorded: readonly RecordedCommand[] = [];
  private recordedVersion = -1;
  private readonly staging: ArrayBuffer;
  /** The latest run that still uses the readback buffer. */
  private reading: Promise<unknown> = Promise.resolve();
  private readonly cost: number;
  private hasRun = false;
  private disposed = false;

  constructor(
    readonly device: WebGpuDevice,
    readonly program: Program,
    designs = device.designs,
  ) {
    this.plan = plan(program, device.gpu.profile, (state) => (state as WebGpuState).part, designs);
    this.cost = this.plan.commands.reduce((total, command) => total + costOf(command), 0);
    this.staging = new ArrayBuffer(this.plan.memory.uploadBytes);
  }

  get memory(): MemoryPlan {
    return this.plan.memory;
  }

  async warmup(): Promise<void> {
    this.assertUsable();
    await this.buildPipelines();
  }

  async run(inputs: Readonly<Record<string, HostTensor>>, { read, signal }: RunOptions = {}): Promise<Record<string, HostTensor>> {
    const wanted = outputsToRead(this.program, read);
    checkInputs(this.program, inputs);
    const pipelines = await this.buildPipelines();
    if (wanted.length === 0) {
      this.submit(pipelines, inputs, wanted, signal);
      await this.device.throttle(false);
      return {};
    }
    // One run at a time reads: they share the readback buffer, whose size the plan has stated.
    const previous = this.reading;
    const result = previous.then(() => this.submitAndRead(pipelines, inputs, wanted, signal));
    this.reading = result.catch(() => {});
    return result;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.device.workspace.release(this);
    for (const buffer of Object.values(this.resources ?? {})) (buffer as PooledBuffer | null)?.release();
    this.resources = null;
    this.recorded = [];
  }

  /** Uploads the inputs and gives what a run would submit, for the profiler. Good until the next `await`: another program may move the workspace. */
  record(pipelines: readonly Pipeline[], inputs: Readonly<Record<string, HostTensor>>): readonly RecordedCommand[] {
    this.assertUsable();
    const resources = this.allocate();
    if (this.recordedVersion !== this.device.workspace.version) this.recorded = this.resolve(pipelines, resources);
    this.recordedVersion = this.device.workspace.version;
    if (resources.upload) {
      for (const [name, offset] of this.plan.uploads) {
        const { data } = inputs[name]!;
        new Uint8Array(this.staging, offset, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      }
      this.device.gpu.device.queue.writeBuffer(resources.upload.buffer, 0, this.staging);
      this.device.traffic.uploads++;
    }
    return this.recorded;
  }

  private assertUsable(): void {
    if (this.disposed) throw new HeddleError("DISPOSED", `[${this.program.name}] was disposed; compile it again`);
    checkStatesAlive(this.program);
    this.device.gpu.assertUsable();
  }

  /** Starts all builds at once; each is done once for the device. */
  buildPipelines(): Promise<Pipeline[]> {
    this.assertUsable();
    this.pipelines ??= Promise.all(this.plan.commands.filter((command) => command.kind === "dispatch").map(({ kernel }) => this.device.pipelines.get(kernel)));
    this.pipelines.catch(() => (this.pipelines = null));
    return this.pipelines;
  }

  private async submitAndRead(pipelines: Pipeline[], inputs: Readonly<Record<string, HostTensor>>, wanted: readonly string[], signal?: AbortSignal): Promise<Record<string, HostTensor>> {
    this.submit(pipelines, inputs, wanted, signal);
    const pieces = wanted.map((name) => this.plan.readbacks.get(name)!).map(({ source, offset }) => ({ type: source.type, offset }));
    const arrays = await mapAndCopy(this.device, this.resources!.readback!.buffer, pieces);
    await this.device.throttle(true);
    signal?.throwIfAborted();
    return Object.fromEntries(wanted.map((name, i) => [name, { shape: pieces[i]!.type.shape, data: arrays[i]! }]));
  }

  /** Uploads, encodes and submits; everything in here is synchronous, so runs never interleave. */
  private submit(pipelines: Pipeline[], inputs: Readonly<Record<string, HostTensor>>, wanted: readonly string[], signal?: AbortSignal): void {
    signal?.throwIfAborted();
    const commands = this.record(pipelines, inputs);
    const { traffic } = this.device;
    const queue = this.device.submitter(this.program.name);
    for (const command of commands) queue.add(command);
    for (const name of wanted) {
      const { source, offset } = this.plan.readbacks.get(name)!;
      queue.transfer({ kind: "copy", from: this.rangeOf(source), to: { buffer: this.resources!.readback!.buffer, offset }, bytes: copyBytes(source.type) });
    }
    queue.flush();
    traffic.submissions += queue.submissions;
    traffic.dispatches += queue.dispatches;
    this.device.clock.queue(this.cost, !this.hasRun);
    this.hasRun = true;
  }

  private allocate(): Resources {
    if (this.resources) return this.resources;
    const { pool, device } = this.device.gpu;
    const { uploadBytes, paramsBytes, readbackBytes } = this.plan.memory;
    const make = (what: string, bytes: number, usage: number) => (bytes > 0 ? pool.allocate(`${this.program.name}/${what}`, bytes, usage) : null);
    this.device.workspace.reserve(this, this.plan.slots);
    this.resources = {
      upload: make("upload", uploadBytes, BufferUsage.STORAGE | BufferUsage.COPY_DST | BufferUsage.COPY_SRC),
      params: make("params", paramsBytes, BufferUsage.UNIFORM | BufferUsage.STORAGE | BufferUsage.COPY_DST | BufferUsage.COPY_SRC),
      readback: make("readback", readbackBytes, BufferUsage.MAP_READ | BufferUsage.COPY_DST),
    };
    if (this.resources.params) {
      const bytes = new DataView(new ArrayBuffer(paramsBytes));
      for (const command of this.plan.commands) {
        if (command.kind === "dispatch") packParams(command.kernel, command.params ?? {}, bytes, command.paramsOffset);
      }
      for (const { offset, data } of this.plan.tables) new Uint32Array(bytes.buffer, offset, data.length).set(data);
      device.queue.writeBuffer(this.resources.params.buffer, 0, bytes.buffer);
    }
    return this.resources;
  }

  private resolve(pipelines: readonly Pipeline[], resources: Resources): RecordedCommand[] {
    let dispatches = 0;
    return this.plan.commands.map((command) => {
      if (command.kind === "copy") return { kind: "copy", from: this.rangeOf(command.from), to: this.rangeOf(command.to), bytes: command.bytes };
      if (command.kind === "clear") return { kind: "clear", what: this.rangeOf(command.what), bytes: command.bytes };
      const { pipeline, layout } = pipelines[dispatches++]!;
      const buffers: GPUBufferBinding[] = command.buffers.map((ref) => this.rangeOf(ref));
      const size = paramsByteLength(command.kernel);
      if (size > 0) buffers.push({ buffer: resources.params!.buffer, offset: command.paramsOffset, size });
      const bindGroup = this.device.gpu.device.createBindGroup({ label: command.kernel.label, layout, entries: buffers.map((resource, binding) => ({ binding, resource })) });
      return { kind: "dispatch", spec: command, pipeline, bindGroup };
    });
  }

  private rangeOf({ storage, type, offsetBytes = 0 }: BufferRef): Required<GPUBufferBinding> {
    const { buffer, offset } = this.bufferOf(storage);
    return { buffer, offset: offset + offsetBytes, size: storageBytes(type) };
  }

  private bufferOf(storage: number): BufferPlace {
    const { placement } = this.plan.storages[storage]!;
    if (placement.kind === "slot") return { buffer: this.device.workspace.buffer(placement.slot), offset: 0 };
    if (placement.kind === "states") return { buffer: (placement.of as WebGpuState).buffer, offset: 0 };
    if (placement.kind === "params") return { buffer: this.resources!.params!.buffer, offset: placement.offset };
    return { buffer: this.resources!.upload!.buffer, offset: placement.offset };
  }
}
