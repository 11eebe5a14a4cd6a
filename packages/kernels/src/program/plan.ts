import type { MemoryPlan, State } from "../device/device.ts";
import type { AdapterProfile } from "../device/profile.ts";
import { HeddleError } from "../errors.ts";
import { shippedDesigns, type Designs } from "./design.ts";
import { FUSED_WORKGROUP_SIZE, fusedKernel } from "./fused-kernel.ts";
import { fuse, inputsOf, type FusedStep, type OpStep, type Step } from "./fusion.ts";
import { linearWorkgroups, paramsByteLength } from "./kernel.ts";
import { literalOp, literalWords } from "./literal.ts";
import { overlap, partOf, placeKey, type BufferRef, type DispatchSpec } from "./lowering.ts";
import { findNeighbours, type Neighbour, type Neighbourhood } from "./neighbours.ts";
import type { LowerContext, Op } from "./op.ts";
import { statesOf, type Program } from "./program.ts";
import { rewrite } from "./rewrite.ts";
import { checkBindings, exceeds, fusedBlocks, rowBlocks } from "./blocks.ts";
import { joinSiblings } from "./siblings.ts";
import { inBufferOfItsOwn, type StatePlace } from "./state-place.ts";
import { assignSlots, type Lifetime } from "./slots.ts";
import { keyOf, ownerKey, Tensor, viewOffset, type Node } from "./tensor.ts";
import { bytesPerElement, dataBytes, sizeOf, storageBytes, type TensorType } from "./types.ts";

/** Where a storage's bytes are. */
export type Placement =
  | { readonly kind: "slot"; readonly slot: number }
  /** The whole buffer that this state lies in, with others or alone. */
  | { readonly kind: "states"; readonly of: State }
  | { readonly kind: "upload"; readonly offset: number }
  | { readonly kind: "params"; readonly offset: number };

export interface StoragePlan {
  readonly bytes: number;
  readonly placement: Placement;
}

export type Command =
  | ({ readonly kind: "dispatch"; readonly paramsOffset: number } & DispatchSpec)
  | { readonly kind: "copy"; readonly from: BufferRef; readonly to: BufferRef; readonly bytes: number }
  | { readonly kind: "clear"; readonly what: BufferRef; readonly bytes: number };

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
  /** What the buffer of kernel parameters holds beside them. */
  readonly tables: readonly { readonly offset: number; readonly data: Uint32Array }[];
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
export function plan(program: Program, adapter: AdapterProfile, placeOf: (state: State) => StatePlace = inBufferOfItsOwn, designs: Designs = shippedDesigns): Plan {
  return new Planner(joinSiblings(rewrite(program)), adapter, placeOf, designs).plan();
}

class Planner {
  private readonly storages: Storage[] = [];
  private readonly refs = new Map<string, BufferRef>();
  private readonly commands: Command[] = [];
  private readonly steps: Step[];
  private uploadBytes = 0;
  private paramsBytes = 0;
  private readonly uploads = new Map<string, number>();
  private readonly tables: { offset: number; data: Uint32Array }[] = [];
  private readonly arenas = new Map<object, number>();
  /** States that the program replaces, by their place. */
  private readonly updated = new Map<string, State>();
  private readonly neighbours: ReadonlyMap<string, Neighbour>;
  private readonly neighbourhoods = new Map<Neighbourhood, number>();
  /** The step being lowered. */
  private now = 0;
  /** Last step that reads each tensor's memory, by the tensor that owns it. */
  private readonly lastRead = new Map<string, number>();

  constructor(
    private readonly program: Program,
    private readonly adapter: AdapterProfile,
    private readonly placeOf: (state: State) => StatePlace,
    private readonly designs: Designs,
  ) {
    this.steps = fuse(program, adapter.maxStorageBuffersPerShaderStage - 1);
    this.neighbours = findNeighbours(this.steps, { alignment: adapter.minStorageBufferOffsetAlignment, maxBytes: adapter.maxStorageBufferBindingSize });
  }

  plan(): Plan {
    this.placeLeaves();
    this.findLastReads();
    this.steps.forEach((step, i) => {
      this.now = i;
      if (step.kind === "fused") this.lowerFused(step);
      else this.lowerOp(step);
    });
    const end = this.steps.length;
    this.now = end;
    const readbacks = new Map<string, Readback>();
    let readbackBytes = 0;
    for (const [name, tensor] of this.program.outputs) {
      const place = this.ref(tensor);
      this.extend(place.storage, end);
      readbacks.set(name, { source: this.isReplaced(place) ? this.copied(place) : place, offset: readbackBytes });
      readbackBytes += storageBytes(tensor.type);
    }
    this.updateStates();
    const { slots, slotOf } = assignSlots(this.storages.map(({ bytes, placement, life }) => (placement ? null : { bytes, life })));
    const storages = this.storages.map(({ bytes, placement }, i) => ({ bytes, placement: placement ?? { kind: "slot" as const, slot: slotOf[i]! } }));
    const states = statesOf(this.program);
    const parts = {
      statesBytes: states.reduce((total, state) => total + this.placeOf(state).sizeBytes, 0),
      workspaceBytes: slots.reduce((total, size) => total + size, 0),
      uploadBytes: this.uploadBytes,
      paramsBytes: this.paramsBytes,
      readbackBytes,
    };
    const memory = { ...parts, peakBytes: Object.values(parts).reduce((a, b) => a + b, 0) };
    return { commands: this.commands, storages, slots, uploads: this.uploads, tables: this.tables, readbacks, memory };
  }

  private placeLeaves(): void {
    for (const [name, tensor] of this.program.inputs) {
      this.uploads.set(name, this.uploadBytes);
      this.bind(tensor, this.add(tensor.type, { kind: "upload", offset: this.uploadBytes }));
      this.uploadBytes += align(storageBytes(tensor.type), this.adapter.minStorageBufferOffsetAlignment);
    }
    for (const [state, tensor] of this.program.states) this.bind(tensor, this.stateRef(state));
    for (const node of this.program.nodes) if (node.op.name === literalOp.name) this.bind(new Tensor(node, 0), { ...this.table(literalWords(node)), type: node.outputs[0]! });
    for (const state of this.program.updates.keys()) this.updated.set(placeKey(this.stateRef(state)), state);
  }

  private stateRef(state: State): BufferRef {
    const { arena, offsetBytes } = this.placeOf(state);
    let storage = this.arenas.get(arena);
    if (storage === undefined) {
      storage = this.add(state.type, { kind: "states", of: state }).storage;
      this.arenas.set(arena, storage);
    }
    return { storage, type: state.type, offsetBytes };
  }

  private findLastReads(): void {
    const touch = (tensor: Tensor, step: number) => this.lastRead.set(ownerKey(tensor), step);
    this.steps.forEach((step, i) => {
      for (const input of inputsOf(step)) touch(input, i);
    });
    for (const tensor of [...this.program.outputs.values(), ...this.program.updates.values()]) touch(tensor, this.steps.length);
  }

  private lowerFused(step: FusedStep): void {
    const node = step.nodes.at(-1)!;
    const output = this.newOutput(node, 0);
    const inputs = step.inputs.map((input) => this.use(input));
    for (const { inputs: reads, output: write, range } of fusedBlocks(step, inputs, output, this.adapter.maxStorageBufferBindingSize)) {
      const { kernel, params, count } = fusedKernel(step, range);
      this.dispatch({
        kernel,
        buffers: [...reads, write],
        params: { count, ...params },
        workgroups: linearWorkgroups(count, FUSED_WORKGROUP_SIZE),
        flops: step.nodes.length * sizeOf(range.output),
        bytes: [...reads, write].reduce((total, { type }) => total + dataBytes(type), 0),
      });
    }
  }

  private lowerOp(step: OpStep): void {
    const [node] = step.nodes;
    const { op } = node;
    const offset = viewOffset(node);
    if (offset !== null) {
      this.refs.set(keyOf(node, 0), partOf(this.use(node.inputs[0]!), offset, node.outputs[0]!));
      return;
    }
    const readers = new Map<string, number>();
    for (const input of inputsOf(step)) readers.set(ownerKey(input), (readers.get(ownerKey(input)) ?? 0) + 1);
    const contexts = step.nodes.map((each) => this.contextOf(each, readers));
    if (op.lowerTogether) op.lowerTogether(contexts);
    else if (op.lower) for (const context of this.inBlocks(op, contexts[0]!)) op.lower(context);
    else throw new HeddleError("TRACE_ERROR", `[${op.name}] has no WebGPU lowering; every op needs elementwise, view, lower or lowerTogether`);
  }

  /** The context itself, or one for each block of rows where its operands are more than a binding may hold. */
  private inBlocks(op: Op, context: LowerContext<object>): LowerContext<object>[] {
    const { maxStorageBufferBindingSize } = this.adapter;
    if (!op.rowWise || !exceeds([...context.inputs, ...context.outputs], maxStorageBufferBindingSize)) return [context];
    const { shape } = context.inputs[0]!.type;
    const blocks = rowBlocks(context, op.rowWise, sizeOf(shape) / shape.at(-1)!, maxStorageBufferBindingSize);
    return blocks?.map(({ inputs, outputs }) => ({ ...context, inputs, outputs })) ?? [context];
  }

  /** @param readers how often the step reads each tensor's memory, by its owner's key */
  private contextOf(node: Node, readers: ReadonlyMap<string, number>): LowerContext<object> {
    const inputs = node.inputs.map((input) => this.use(input));
    const inPlace = node.op.inPlace?.(node.inputs.map((input) => input.type)) ?? {};
    const required = node.outputs.length - (node.op.optionalOutputs ?? 0);
    const wanted = node.outputs.filter((_, i) => i < required || node.outputs.some((_, later) => later >= i && this.lastRead.has(keyOf(node, later))));
    const outputs = wanted.map((_, i) => {
      const source = inPlace[i];
      return source === undefined ? this.newOutput(node, i) : this.overwrite(node, i, node.inputs[source]!, readers);
    });
    const site = { op: node.op, inputs: node.inputs.map(({ type }) => type), attributes: node.attributes, outputs: wanted };
    return {
      attributes: node.attributes,
      design: node.op.tunable && this.designs.of(site, this.adapter),
      inputs,
      outputs,
      adapter: this.adapter,
      scratch: (type) => this.add(type, null),
      table: (data) => this.table(data),
      clear: (what) => this.commands.push({ kind: "clear", what, bytes: storageBytes(what.type) }),
      dispatch: (spec) => this.dispatch(spec),
    };
  }

  /**
   * The memory for an output that overwrites `input`: the input's own where nothing reads the old value later (a state's
   * only when this output is what replaces it), else fresh memory with a copy.
   */
  private overwrite(node: Node, output: number, input: Tensor, readers: ReadonlyMap<string, number>): BufferRef {
    const type = node.outputs[output]!;
    const source = this.ref(input);
    const owner = ownerKey(input);
    const dead = this.lastRead.get(owner) === this.now && readers.get(owner) === 1;
    if (dead && (this.storages[source.storage]!.placement === null || this.replacesState(node, output, source))) {
      const ref = { ...source, type };
      this.refs.set(keyOf(node, output), ref);
      this.extend(source.storage, this.lastRead.get(keyOf(node, output)) ?? this.now);
      return ref;
    }
    const fresh = this.newOutput(node, output);
    this.copy(source, fresh);
    return fresh;
  }

  private replacesState(node: Node, output: number, place: BufferRef): boolean {
    const state = this.stateAt(place);
    const update = state && this.program.updates.get(state);
    return update?.node === node && update.outputIndex === output;
  }

  /** The state, replaced by the program, that has this place. */
  private stateAt(place: BufferRef): State | undefined {
    return this.updated.get(placeKey(place));
  }

  /** Whether a copy at the end of the program replaces what is here, or part of it. */
  private isReplaced(place: BufferRef): boolean {
    return [...this.program.updates].some(([state, update]) => overlap([this.stateRef(state), place]) && placeKey(this.ref(update)) !== placeKey(this.stateRef(state)));
  }

  private updateStates(): void {
    const pending: { state: State; from: BufferRef }[] = [];
    for (const [state, tensor] of this.program.updates) {
      let from = this.ref(tensor);
      if (this.stateAt(from) === state) continue;
      this.extend(from.storage, this.now);
      // A state replaced by another state's old value, or by part of it, must not see that one's new value.
      if ([...this.updated.values()].some((other) => overlap([this.stateRef(other), from]))) from = this.copied(from);
      pending.push({ state, from });
    }
    for (const { state, from } of pending) this.copy(from, this.stateRef(state));
  }

  private dispatch(spec: DispatchSpec): void {
    if (spec.workgroups.some((count) => count === 0)) return;
    checkBindings(spec, this.adapter.maxStorageBufferBindingSize);
    // WebGPU counts a buffer as one resource: a dispatch that writes one tensor in it may not read another.
    const isWritten = (_: BufferRef, i: number) => spec.kernel.bindings[i]!.access === "read_write";
    const written = new Set(spec.buffers.filter(isWritten).map(({ storage }) => storage));
    const buffers = spec.buffers.map((ref, i) => (written.has(ref.storage) && !isWritten(ref, i) ? this.copied(ref) : ref));
    this.commands.push({ kind: "dispatch", ...spec, buffers, paramsOffset: this.params(paramsByteLength(spec.kernel)) });
  }

  /** Room among the kernels' parameters. */
  private params(bytes: number): number {
    const offset = this.paramsBytes;
    const { minUniformBufferOffsetAlignment, minStorageBufferOffsetAlignment } = this.adapter;
    this.paramsBytes += align(bytes, Math.max(minUniformBufferOffsetAlignment, minStorageBufferOffsetAlignment));
    return offset;
  }

  private table(data: Uint32Array): BufferRef {
    const type: TensorType = { dtype: "u32", shape: [data.length] };
    const offset = this.params(storageBytes(type));
    this.tables.push({ offset, data });
    return this.add(type, { kind: "params", offset });
  }

  private copied(from: BufferRef): BufferRef {
    const to = this.add(from.type, null);
    this.commands.push({ kind: "copy", from, to, bytes: storageBytes(from.type) });
    return to;
  }

  private copy(from: BufferRef, to: BufferRef): void {
    // A copy within one buffer is an error, even from one part to another.
    const source = from.storage === to.storage ? this.copied(from) : from;
    this.commands.push({ kind: "copy", from: source, to, bytes: storageBytes(from.type) });
  }

  private add(type: TensorType, placement: Placement | null): BufferRef {
    this.storages.push({ bytes: storageBytes(type), placement, life: { first: this.now, last: this.now } });
    return { storage: this.storages.length - 1, type };
  }

  private bind(tensor: Tensor, ref: BufferRef): void {
    this.refs.set(keyOf(tensor.node, tensor.outputIndex), ref);
  }

  private newOutput(node: Node, output: number): BufferRef {
    const key = keyOf(node, output);
    const type = node.outputs[output]!;
    const neighbour = this.neighbours.get(key);
    const ref = neighbour ? { storage: this.storageOf(neighbour.neighbourhood), type, offsetBytes: neighbour.offsetBytes } : this.add(type, null);
    this.refs.set(key, ref);
    this.extend(ref.storage, this.lastRead.get(key) ?? this.now);
    return ref;
  }

  private storageOf(neighbourhood: Neighbourhood): number {
    let storage = this.neighbourhoods.get(neighbourhood);
    if (storage === undefined) {
      storage = this.add({ dtype: "u32", shape: [neighbourhood.bytes / bytesPerElement("u32")] }, null).storage;
      this.neighbourhoods.set(neighbourhood, storage);
    }
    return storage;
  }

  private extend(storage: number, step: number): void {
    const { life } = this.storages[storage]!;
    life.last = Math.max(life.last, step);
  }

  private ref(tensor: Tensor): BufferRef {
    return this.refs.get(keyOf(tensor.node, tensor.outputIndex))!;
  }

  private use(tensor: Tensor): BufferRef {
    const ref = this.ref(tensor);
    this.extend(ref.storage, this.now);
    return ref;
  }
}
