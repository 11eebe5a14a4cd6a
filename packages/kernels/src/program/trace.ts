import type { State } from "../device/device.ts";
import { HeddleError } from "../errors.ts";
import type { Attributes, Op } from "./op.ts";
import { defineOp } from "./op.ts";
import type { Program } from "./program.ts";
import type { Node } from "./tensor.ts";
import { Tensor } from "./tensor.ts";
import { literalOf, literalOp } from "./literal.ts";
import type { HostTensor, TensorType } from "./types.ts";
import { formatShape, sameShape } from "./types.ts";

/** What ops accept: symbolic tensors, states, numbers (f32 scalars), and host data, which becomes part of the program. */
export type TensorLike = Tensor | State | HostTensor | number;

/** Leaves of a program: no kernels, only a name, a state or a number. */
export const inputOp = defineOp<{ name: string; type: TensorType }>({ name: "input", infer: (_, { type }) => [type] });
export const stateOp = defineOp<{ type: TensorType }>({ name: "state", infer: (_, { type }) => [type] });
export const constantOp = defineOp<{ value: number; dtype: "f32" | "i32" | "u32" }>({
  name: "constant",
  infer: (_, { dtype }) => [{ dtype, shape: [] }],
  vjp: () => [],
  onnx: ({ graph, outputs, number }) => [graph.scalar(outputs[0]!.dtype, number())],
  elementwise: {
    wgsl: (_, { value, dtype }, spell) => (dtype === "f32" ? spell.constant(value) : `${dtype === "i32" ? spell.signed : spell.unsigned}(${value})`),
    reference: (_, { value }) => value,
  },
});

/** The recording of one call of a traced function. */
class Trace {
  readonly nodes: Node[] = [];
  readonly states = new Map<State, Tensor>();
  readonly updates = new Map<State, Tensor>();
  readonly inputs = new Map<string, Tensor>();
  randomStreams = 0;
  private readonly known = new Map<string, Node>();

  add(op: Op, inputs: readonly Tensor[], attributes: Attributes, shareable = true): Node {
    // Equal nodes are one node: gradients ask for the same transposes and masks again and again.
    const key = shareable ? `${op.name}(${inputs.map((t) => `${t.node.id}.${t.outputIndex}`).join()})${JSON.stringify(attributes)}` : null;
    const same = key === null ? undefined : this.known.get(key);
    if (same) return same;
    const outputs = op.infer(inputs.map((tensor) => tensor.type), attributes);
    const node: Node = { id: this.nodes.length, op, inputs, attributes, outputs };
    this.nodes.push(node);
    if (key !== null) this.known.set(key, node);
    return node;
  }
}

let active: Trace | null = null;

function current(where: string): Trace {
  if (!active) throw new HeddleError("TRACE_ERROR", `[${where}] ops work on symbolic tensors only inside a function given to compile() or trace()`);
  return active;
}

/** Records one op; returns all of its outputs. */
export function emit<A extends Attributes>(op: Op<A>, inputs: readonly TensorLike[], attributes: A): Tensor[] {
  const trace = current(op.name);
  const tensors = inputs.map((input) => asTensor(input));
  const foreign = tensors.find((tensor) => trace.nodes[tensor.node.id] !== tensor.node);
  if (foreign) throw new HeddleError("TRACE_ERROR", `[${op.name}] got a tensor of shape ${formatShape(foreign.shape)} from another trace; pass it in as an input or keep it in a state`);
  const half = op.readsHalf ? undefined : tensors.find(({ dtype }) => dtype === "f16");
  if (half) throw new HeddleError("DTYPE_MISMATCH", `[${op.name}] does not take f16, which is for storage: convert ${formatShape(half.shape)} with cast(x, "f32")`);
  const node = trace.add(op as unknown as Op, tensors, attributes);
  return node.outputs.map((_, i) => new Tensor(node, i));
}

/** Records an op with one output. */
export function emitOne<A extends Attributes>(op: Op<A>, inputs: readonly TensorLike[], attributes: A): Tensor {
  return emit(op, inputs, attributes)[0]!;
}

/** The symbolic tensor of a state or number in the current trace; tensors pass through. A state already assigned in this trace gives its new value. */
export function asTensor(value: TensorLike): Tensor {
  if (value instanceof Tensor) return value;
  const trace = current("asTensor");
  if (typeof value === "number") return constant(value);
  if ("data" in value) return emitOne(literalOp, [], literalOf(value));
  const updated = trace.updates.get(value);
  if (updated) return updated;
  let tensor = trace.states.get(value);
  if (!tensor) {
    if (value.disposed) throw new HeddleError("DISPOSED", `[state ${value.name}] was disposed; create it again before tracing`);
    tensor = new Tensor(trace.add(stateOp as unknown as Op, [], { type: value.type }, false), 0);
    trace.states.set(value, tensor);
  }
  return tensor;
}

export function constant(value: number, dtype: "f32" | "i32" | "u32" = "f32"): Tensor {
  if (!Number.isFinite(value)) throw new HeddleError("INVALID_ARGUMENT", `[constant] ${value} cannot be a constant of a program; mask with a large finite number instead`);
  return emitOne(constantOp, [], { value, dtype });
}

/** A leaf without data: lets a function be traced for its shapes alone. Such a program cannot run. */
export function placeholder(name: string, type: TensorType): Tensor {
  return emitOne(inputOp, [], { name, type });
}

/** Replaces a state's content with `value` when the run ends; later reads in the same trace see `value`. */
export function assign(state: State, value: Tensor): void {
  const trace = current("assign");
  if (!sameShape(state.type.shape, value.shape)) {
    throw new HeddleError("SHAPE_MISMATCH", `[assign] state ${state.name} is ${formatShape(state.type.shape)}, the value is ${formatShape(value.shape)}`);
  }
  if (state.type.dtype !== value.dtype) {
    throw new HeddleError("DTYPE_MISMATCH", `[assign] state ${state.name} is ${state.type.dtype}, the value is ${value.dtype}`);
  }
  trace.updates.set(state, value);
}

/** A number of its own for each random op of a trace, so that two dropouts of one step differ. Same trace, same numbers. */
export function nextRandomStream(): number {
  return current("random").randomStreams++;
}

export type TracedFunction = (inputs: Record<string, Tensor>) => Record<string, Tensor>;

/** Runs `fn` on symbolic inputs and returns what it recorded, without nodes that nothing needs. */
export function trace(name: string, inputTypes: Readonly<Record<string, TensorType>>, fn: TracedFunction): Program {
  if (active) throw new HeddleError("TRACE_ERROR", `[${name}] a traced function started another trace; call compiled functions outside of traces`);
  const recording = new Trace();
  active = recording;
  try {
    for (const [inputName, type] of Object.entries(inputTypes)) {
      recording.inputs.set(inputName, emitOne(inputOp, [], { name: inputName, type }));
    }
    const outputs = new Map(Object.entries(fn(Object.fromEntries(recording.inputs))));
    return finishProgram(name, recording, outputs);
  } finally {
    active = null;
  }
}

function finishProgram(name: string, recording: Trace, outputs: Map<string, Tensor>): Program {
  const live = new Set<Node>();
  const visit = (start: Node) => {
    const stack = [start];
    for (let node = stack.pop(); node; node = stack.pop()) {
      if (live.has(node)) continue;
      live.add(node);
      for (const input of node.inputs) stack.push(input.node);
    }
  };
  for (const tensor of [...outputs.values(), ...recording.updates.values()]) visit(tensor.node);
  const states = new Map([...recording.states].filter(([, tensor]) => live.has(tensor.node)));
  return { name, nodes: recording.nodes.filter((node) => live.has(node)), inputs: recording.inputs, states, updates: recording.updates, outputs };
}
