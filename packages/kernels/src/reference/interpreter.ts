import { HeddleError } from "../errors.ts";
import type { State } from "../device/device.ts";
import { fromFloat16 } from "../program/float16.ts";
import type { Program } from "../program/program.ts";
import type { Node, Tensor } from "../program/tensor.ts";
import { broadcastShapes, sameShape, sizeOf, stridesOf, type HostTensor, type Shape } from "../program/types.ts";
import type { NdArray, ReferenceContext, ReferencePrecision } from "./ndarray.ts";
import { referenceContext } from "./ndarray.ts";

/** A tensor from a host with its dtype. */
type HostTensorOf = HostTensor & Pick<NdArray, "dtype">;

export interface InterpreterResult {
  readonly outputs: Record<string, NdArray>;
  /** New contents of the states that the program updates. */
  readonly updates: Map<State, NdArray>;
}

/**
 * Runs any program on the CPU, one naive op after the other. It is the oracle of every test: slow, and short enough
 * to be read.
 */
export function interpret(
  program: Program,
  inputs: Readonly<Record<string, HostTensor | NdArray>>,
  readState: (state: State) => NdArray,
  precision: ReferencePrecision,
): InterpreterResult {
  const context = referenceContext(precision);
  const values = new Map<Node, NdArray[]>();
  const valueOf = (tensor: Tensor) => values.get(tensor.node)![tensor.outputIndex]!;
  const stateOf = new Map([...program.states].map(([state, tensor]) => [tensor.node, state]));
  const lastUse = new Map<Node, number>();
  program.nodes.forEach((node, i) => node.inputs.forEach((input) => lastUse.set(input.node, i)));
  const kept = new Set([...program.outputs.values(), ...program.updates.values()].map((tensor) => tensor.node));
  program.nodes.forEach((node, i) => {
    const state = stateOf.get(node);
    values.set(node, state ? [convert(readState(state), context)] : evaluate(node, node.inputs.map(valueOf), inputs, context));
    for (const input of node.inputs) {
      if (lastUse.get(input.node) === i && !kept.has(input.node)) values.delete(input.node);
    }
  });
  return {
    outputs: Object.fromEntries([...program.outputs].map(([name, tensor]) => [name, valueOf(tensor)])),
    updates: new Map([...program.updates].map(([state, tensor]) => [state, valueOf(tensor)])),
  };
}

function evaluate(node: Node, operands: NdArray[], inputs: Readonly<Record<string, HostTensor | NdArray>>, context: ReferenceContext): NdArray[] {
  const { op, attributes } = node;
  if (op.name === "input") {
    const { name, type } = attributes as { name: string; type: { dtype: NdArray["dtype"]; shape: Shape } };
    return [convert({ ...inputs[name]!, dtype: type.dtype }, context)];
  }
  if (op.reference) return op.reference(operands, attributes, context);
  if (op.elementwise) {
    const y = context.zeros(node.outputs[0]!.dtype, node.outputs[0]!.shape);
    const { reference } = op.elementwise;
    const reads = operands.map((operand) => broadcastReader(operand, y.shape));
    for (let i = 0; i < y.data.length; i++) y.data[i] = reference(reads.map((read) => read(i)), attributes, i);
    return [y];
  }
  throw new HeddleError("TRACE_ERROR", `[${op.name}] has no reference; every op needs one`);
}

/** Floats in the interpreter's precision; half floats come as bits from a host. */
function convert(array: NdArray | HostTensorOf, context: ReferenceContext): NdArray {
  const { dtype, shape, data } = array;
  if (dtype !== "f32" && dtype !== "f16") return array as NdArray;
  const copy = context.zeros(dtype, shape);
  copy.data.set(data instanceof Uint16Array ? fromFloat16(data) : data);
  return copy;
}

/** Reads element i of `shape` from an array that broadcasts to it. */
function broadcastReader(array: NdArray, shape: Shape): (index: number) => number {
  const { data } = array;
  if (sameShape(array.shape, shape)) return (index) => data[index]!;
  if (sizeOf(array.shape) === 1) return () => data[0]!;
  const from = stridesOf(array.shape);
  const to = stridesOf(broadcastShapes([array.shape, shape], "broadcast"));
  const lead = shape.length - array.shape.length;
  return (index) => {
    let at = 0;
    for (let axis = 0; axis < array.shape.length; axis++) {
      if (array.shape[axis] !== 1) at += (Math.floor(index / to[axis + lead]!) % shape[axis + lead]!) * from[axis]!;
    }
    return data[at]!;
  };
}
