import type { MemoryPlan, State } from "../device/device.ts";
import type { AdapterProfile } from "../device/profile.ts";
import { HeddleError } from "../errors.ts";
import { FUSED_WORKGROUP_SIZE, fusedKernel } from "./fused-kernel.ts";
import { fuse, type Step } from "./fusion.ts";
import { linearWorkgroups, paramsByteLength } from "./kernel.ts";
import type { BufferRef, DispatchSpec } from "./lowering.ts";
import { rewrite } from "./rewrite.ts";
import { statesOf, type Program } from "./program.ts";
import type { Node, Tensor } from "./tensor.ts";
import { dataBytes, sizeOf, storageBytes, type TensorType } from "./types.ts";
import { assignSlots, type Lifetime } from "./slots.ts";

/** Where a storage's bytes are. */
export type Placement =
  | { readonly kind: "slot"; readonly slot: number }
  | { readonly kind: "state"; readonly state: State }
  | { readonly kind: "upload"; readonly offset: number };

export interface StoragePlan {
  readonly bytes: number;
  readonly placement: Placement;
}

export type Command =
  | ({ readonly kind: "dispatch"; readonly paramsOffset: number } & DispatchSpec)
  | { readonly kind: "copy"; readonly from: BufferRef; readonly to: BufferRef; readonly bytes: number };

/** An output's bytes, and where in the readback buffer they go. */
export interface Readback {
  readonly source: BufferRef;
  readonly offset: number;
}

/** A program as commands over storages whose places are all known. */
export interface Plan {
  readonly commands: readonly Command[];
  readonly storages: readonly StoragePlan[];
  /** Sizes of the workspace's buffers, the largest first. */
  readonly slots: readonly number[];
  readonly uploads: ReadonlyMap<string, number>;
  readonly readbacks: ReadonlyMap<string, Readback>;
  readonly memory: MemoryPlan;
}

/** A storage while the plan is being made: its life as step numbers. */
interface Storage {
  bytes: number;
  placement: Placement | null;
  life: Lifetime;
}

const align = (bytes: number, to: number) => Math.ceil(bytes / to) * to;

/** Lowers a program: fuses, asks each op for its dispatches, and gives every tensor a place whose reuse never overlaps two lives. */
export function plan(program: Program, adapter: AdapterProfile): Plan {
  return new Planner(rewrite(program), adapter).plan();
}

class Planner {
  private readonly storages: Storage[] = [];
  private readonly refs = new Map<string, BufferRef>();
  private readonly commands: Command[] = [];
  private readonly steps: Step[];
  private uploadBytes = 0;
  private paramsBytes = 0;
  private readonly uploads = new Map<string, number>();
  /** Last step that reads each tensor's memory, by the tensor that owns it. */
  private readonly lastRead = new Map<string, number>();

  constructor(
    private readonly program: Program,
    private readonly adapter: AdapterProfile,
  ) {
    this.steps = fuse(program, adapter.maxStorageBuffersPerShaderStage - 1);
  }

  plan(): Plan {
    this.placeLeaves();
    this.findLastReads();
    this.steps.forEach((step, i) => this.lower(step, i));
    const end = this.steps.length;
    this.updateStates(end);
    const readbacks = new Map<string, Readback>();
    let readbackBytes = 0;
    for (const [name, tensor] of this.program.outputs) {
      const source = this.ref(tensor);
      this.extend(source.storage, end);
      readbacks.set(name, { source, offset: readbackBytes });
      readbackBytes += storageBytes(tensor.type);
    }
    const { slots, slotOf } = assignSlots(this.storages.map(({ bytes, placement, life }) => (placement ? null : { bytes, life })));
    const storages = this.storages.map(({ bytes, placement }, i) => ({ bytes, placement: placement ?? { kind: "slot" as const, slot: slotOf[i]! } }));
    const states = statesOf(this.program);
    const parts = {
      statesBytes: states.reduce((total, state) => total + storageBytes(state.type), 0),
      workspaceBytes: slots.reduce((total, size) => total + size, 0),
      uploadBytes: this.uploadBytes,
      paramsBytes: this.paramsBytes,
      readbackBytes,
    };
    const memory = { ...parts, peakBytes: Object.values(parts).reduce((a, b) => a + b, 0) };
    return { commands: this.commands, storages, slots, uploads: this.uploads, readbacks, memory };
  }

  private placeLeaves(): void {
    for (const [name, tensor] of this.program.inputs) {
      this.uploads.set(name, this.uploadBytes);
      this.bind(tensor, this.add(tensor.type, { kind: "upload", offset: this.uploadBytes }));
      this.uploadBytes += align(storageBytes(tensor.type), this.adapter.minStorageBufferOffsetAlignment);
    }
    for (const [state, tensor] of this.program.states) this.bind(tensor, this.add(tensor.type, { kind: "state", state }));
  }

  private findLastReads(): void {
    const touch = (tensor: Tensor, step: number) => this.lastRead.set(ownerKey(tensor), step);
    this.steps.forEach((step, i) => {
      for (const input of step.kind === "fused" ? step.inputs : step.node.inputs) touch(input, i);
    });
    for (const tensor of [...this.program.outputs.values(), ...this.program.updates.values()]) touch(tensor, this.steps.length);
  }

  private lower(step: Step, index: number): void {
    if (step.kind === "fused") {
      const node = step.nodes.at(-1)!;
      const output = this.newOutput(node, 0, index);
      const { kernel, params, count } = fusedKernel(step);
      const bytes = [...step.inputs.map((input) => input.type), output.type].reduce((total, type) => total + dataBytes(type), 0);
      this.dispatch({
        kernel,
        buffers: [...step.inputs.map((input) => this.use(input, index)), output],
        params: { count, ...params },
        workgroups: linearWorkgroups(count, FUSED_WORKGROUP_SIZE),
        flops: step.nodes.length * sizeOf(output.type.shape),
        bytes,
      });
      return;
    }
    const { node } = step;
    if (node.op.view) {
      this.refs.set(keyOf(node, 0), { ...this.use(node.inputs[0]!, index), type: node.outputs[0]! });
      return;
    }
    if (!node.op.lower) throw new HeddleError("TRACE_ERROR", `[${node.op.name}] has no WebGPU lowering; every op needs elementwise, view or lower`);
    const inputs = node.inputs.map((input) => this.use(input, index));
    const inPlace = node.op.inPlace?.(node.inputs.map((input) => input.type)) ?? {};
    const required = node.outputs.length - (node.op.optionalOutputs ?? 0);
    const wanted = node.outputs.filter((_, i) => i < required || node.outputs.some((_, later) => later >= i && this.lastRead.has(keyOf(node, later))));
    const outputs = wanted.map((_, i) => {
      const source = inPlace[i];
      return source === undefined ? this.newOutput(node, i, index) : this.overwrite(node, i, node.inputs[source]!, index);
    });
    node.op.lower({
      attributes: node.attributes,
      inputs,
      outputs,
      adapter: this.adapter,
      scratch: (type) => this.add(type, null, index),
      dispatch: (spec) => this.dispatch(spec),
    });
  }

  /**
   * The memory for an output that overwrites `input`: the input's own where nothing reads the old value later (a state's
   * only when this output is what replaces it), else fresh memory with a copy.
   */
  private overwrite(node: Node, output: number, input: Tensor, index: number): BufferRef {
    const type = node.outputs[output]!;
    const source = this.ref(input);
    const { placement } = this.storages[source.storage]!;
    const dead = this.lastRead.get(ownerKey(input)) === index && node.inputs.filter((other) => ownerKey(other) === ownerKey(input)).length === 1;
    const replacesState = placement?.kind === "state" && isOutput(this.program.updates.get(placement.state), node, output);
    if (dead && (placement === null || replacesState)) {
      const ref = { ...source, type };
      this.refs.set(keyOf(node, output), ref);
      this.extend(source.storage, this.lastRead.get(keyOf(node, output)) ?? index);
      return ref;
    }
    const fresh = this.newOutput(node, output, index);
    this.commands.push({ kind: "copy", from: source, to: fresh, bytes: storageBytes(type) });
    return fresh;
  }

  private updateStates(end: number): void {
    const pending: { state: State; from: BufferRef }[] = [];
    for (const [state, tensor] of this.program.updates) {
      let from = this.ref(tensor);
      const { placement } = this.storages[from.storage]!;
      if (placement?.kind === "state" && placement.state === state) continue;
      this.extend(from.storage, end);
      // A state replaced by another state's old value must not see that one's new value.
      if (placement?.kind === "state" && this.program.updates.has(placement.state)) {
        const temporary = this.add(tensor.type, null, end);
        this.commands.push({ kind: "copy", from, to: temporary, bytes: storageBytes(tensor.type) });
        from = temporary;
      }
      pending.push({ state, from });
    }
    for (const { state, from } of pending) {
      const known = this.program.states.get(state);
      const to = known ? this.ref(known) : this.add(state.type, { kind: "state", state });
      this.commands.push({ kind: "copy", from, to, bytes: storageBytes(state.type) });
    }
  }

  private dispatch(spec: DispatchSpec): void {
    if (spec.workgroups.some((count) => count === 0)) return;
    this.commands.push({ kind: "dispatch", ...spec, paramsOffset: this.paramsBytes });
    this.paramsBytes += align(paramsByteLength(spec.kernel), this.adapter.minUniformBufferOffsetAlignment);
  }

  private add(type: TensorType, placement: Placement | null, step = 0): BufferRef {
    this.storages.push({ bytes: storageBytes(type), placement, life: { first: step, last: step } });
    return { storage: this.storages.length - 1, type };
  }

  private bind(tensor: Tensor, ref: BufferRef): void {
    this.refs.set(keyOf(tensor.node, tensor.outputIndex), ref);
  }

  private newOutput(node: Node, output: number, step: number): BufferRef {
    const ref = this.add(node.outputs[output]!, null, step);
    this.refs.set(keyOf(node, output), ref);
    this.extend(ref.storage, this.lastRead.get(keyOf(node, output)) ?? step);
    return ref;
  }

  private extend(storage: number, step: number): void {
    const { life } = this.storages[storage]!;
    life.last = Math.max(life.last, step);
  }

  private ref(tensor: Tensor): BufferRef {
    return this.refs.get(keyOf(tensor.node, tensor.outputIndex))!;
  }

  private use(tensor: Tensor, step: number): BufferRef {
    const ref = this.ref(tensor);
    this.extend(ref.storage, step);
    return ref;
  }
}

const keyOf = (node: Node, output: number) => `${node.id}.${output}`;
const isOutput = (tensor: Tensor | undefined, node: Node, output: number) => tensor?.node === node && tensor.outputIndex === output;

/** The tensor whose memory `tensor` shows: itself, or what it is a view of. */
function ownerKey(tensor: Tensor): string {
  let owner = tensor;
  while (owner.node.op.view) owner = owner.node.inputs[0]!;
  return keyOf(owner.node, owner.outputIndex);
}
