import type { State } from "../device/device.ts";
import { HeddleError } from "../errors.ts";
import { statesOf } from "../program/program.ts";
import { type Node, Tensor } from "../program/tensor.ts";
import { sizeOf, type HostTensor, type TensorType } from "../program/types.ts";
import type { OnnxContext, OnnxOperand } from "./context.ts";
import { broadcastsTo, spellDim } from "./dims.ts";
import { OnnxGraph, type OnnxTarget, type Value } from "./graph.ts";
import { findOverwritable } from "./overwritable.ts";
import type { ElementType } from "./element-types.ts";
import type { ModelInfo, ValueInfo } from "./proto.ts";
import type { SymbolicProgram } from "./symbolic-program.ts";

/** ONNX's operator set, and that of onnxruntime's own operators. */
const OPSETS = { onnxruntime: { "": 23, "com.microsoft": 1 }, portable: { "": 21 } };

export interface OnnxLoweringOptions {
  /** The content of a state that becomes a constant of the graph; null for one that is an input. */
  constantOf(state: State): HostTensor["data"] | null;
  /** Default `onnxruntime`. */
  target?: OnnxTarget;
  /** Products with constant weights in int8. */
  int8?: boolean;
  /** For onnxruntime-web. */
  wasm?: boolean;
  /** Another name and type for an input of the program, such as Hugging Face's `input_ids`, i64. */
  inputAs?(name: string, type: TensorType): { readonly name: string; readonly type: ElementType };
}

/** A program as an ONNX model, and what its inputs, outputs and states are called there. */
export interface OnnxLowering {
  readonly model: ModelInfo;
  /** Without those that nothing reads. */
  readonly inputs: ReadonlyMap<string, string>;
  readonly outputs: ReadonlyMap<string, string>;
  readonly stateInputs: ReadonlyMap<State, string>;
  /** `overwrites`: the new value may be written over the old one, as all that reads the old one runs before. */
  readonly stateOutputs: ReadonlyMap<State, { readonly name: string; readonly overwrites: boolean }>;
}

/**
 * Writes a program as an ONNX graph, each op by its own `onnx`.
 *
 * Throws NOT_LOWERABLE for an op without one, DYNAMIC_SHAPE where one needs a fixed extent and has none.
 */
export function lowerToOnnx(program: SymbolicProgram, options: OnnxLoweringOptions): OnnxLowering {
  return new Lowering(program, options).run();
}

class Lowering {
  private readonly graph: OnnxGraph;
  private readonly inputs: ReadonlyMap<string, { readonly name: string; readonly type: ElementType }>;
  private readonly outputNames: ReadonlyMap<string, string>;
  private readonly stateNames: ReadonlyMap<State, string>;
  private readonly newStateNames: ReadonlyMap<State, string>;
  private readonly values = new Map<Node, readonly Value[]>();
  private readonly constants = new Map<Node, HostTensor["data"]>();
  private readonly kept = new Map<Node, Map<string, Value>>();
  private readonly read = new Set<string>();

  constructor(
    private readonly program: SymbolicProgram,
    private readonly options: OnnxLoweringOptions,
  ) {
    const { base, symbols } = program;
    const { inputAs = (name: string, { dtype }: TensorType) => ({ name, type: dtype }) } = options;
    const live = new Set(base.nodes);
    this.inputs = new Map([...base.inputs].filter(([, { node }]) => live.has(node)).map(([name, { type }]) => [name, inputAs(name, type)]));
    const taken = new Set([...this.inputs.values()].map(({ name }) => name));
    const free = (name: string) => uniqueName(name, taken);
    this.outputNames = new Map([...base.outputs.keys()].map((name) => [name, free(name)]));
    this.stateNames = new Map(statesOf(base).map((state) => [state, free(state.name)]));
    this.newStateNames = new Map([...base.updates.keys()].map((state) => [state, free(`${this.stateNames.get(state)}.next`)]));
    this.graph = new OnnxGraph({ target: options.target ?? "onnxruntime", int8: options.int8 ?? false, wasm: options.wasm ?? false }, symbols.map(({ name, input, axis }) => ({ name, axis, value: this.inputs.get(input)!.name })), taken);
    for (const tensor of [...base.nodes.flatMap(({ inputs }) => inputs), ...base.outputs.values(), ...base.updates.values()]) this.read.add(placeOf(tensor.node, tensor.outputIndex));
  }

  run(): OnnxLowering {
    const { base } = this.program;
    const inputs = [...this.lowerInputs()];
    const stateInputs = new Map<State, string>();
    for (const [state, { node }] of base.states) {
      const name = this.stateNames.get(state)!;
      const content = this.options.constantOf(state);
      this.values.set(node, [name]);
      if (content) {
        this.graph.weight(name, state.type.dtype, state.type.shape, content);
        this.constants.set(node, content);
      } else {
        inputs.push({ name, type: state.type.dtype, shape: state.type.shape });
        stateInputs.set(state, name);
      }
    }
    for (const node of base.nodes) this.lower(node);
    const named = new Map([
      ...[...base.outputs].map(([name, tensor]) => [this.outputNames.get(name)!, tensor] as const),
      ...[...base.updates].map(([state, tensor]) => [this.newStateNames.get(state)!, tensor] as const),
    ]);
    const outputs: ValueInfo[] = [...named].map(([name, tensor]) => ({ name, type: tensor.dtype, shape: this.program.dimsOf(tensor).map(nameDim) }));
    const { nodes, initializers } = this.graph.finish(new Map([...named].map(([name, tensor]) => [name, this.valueOf(tensor)])));
    const overwritable = findOverwritable(nodes, [...this.newStateNames].map(([state, next]) => ({ old: this.stateNames.get(state)!, next })));
    return {
      model: { graph: { name: base.name, nodes, initializers, inputs, outputs }, opsets: OPSETS[this.graph.target] },
      inputs: new Map([...this.inputs].map(([name, input]) => [name, input.name])),
      outputs: this.outputNames,
      stateInputs,
      stateOutputs: new Map([...this.newStateNames].map(([state, name]) => [state, { name, overwrites: overwritable.has(name) }])),
    };
  }

  private *lowerInputs(): Generator<ValueInfo> {
    for (const [input, { name, type }] of this.inputs) {
      const tensor = this.program.base.inputs.get(input)!;
      yield { name, type, shape: this.program.dimsOf(tensor).map(nameDim) };
      this.values.set(tensor.node, [type === tensor.dtype ? name : this.graph.cast(name, tensor.dtype)]);
    }
  }

  private lower(node: Node): void {
    // A broadcast is written where a consumer turns out to need it.
    if (this.values.has(node) || node.op.name === "broadcast") return;
    // onnxruntime's kernels divide by extents: nothing without elements goes through one.
    if (node.outputs.every(({ shape }) => sizeOf(shape) === 0)) {
      this.values.set(node, node.outputs.map(({ dtype, shape }) => this.graph.constant(dtype, shape, new Float32Array())));
      return;
    }
    if (!node.op.onnx) throw new HeddleError("NOT_LOWERABLE", `[${node.op.name}] has no ONNX form yet: run ${this.program.base.name} with device "webgpu"`);
    const { graph, program, read, kept } = this;
    const operands = node.op.broadcasts ? this.withoutBroadcasts(node) : node.inputs;
    const context: OnnxContext<object> = {
      graph,
      attributes: node.attributes,
      inputs: operands.map((tensor) => this.operand(tensor)),
      outputs: node.outputs.map(({ dtype }, i) => ({
        dtype,
        get dims() {
          return program.dimsOf(new Tensor(node, i));
        },
        wanted: read.has(placeOf(node, i)),
      })),
      dim: (attribute) => program.attributeDim(node, attribute),
      number: () => program.constantOf(node),
      keep: (what, value) => kept.set(node, (kept.get(node) ?? new Map<string, Value>()).set(what, value)),
    };
    this.values.set(node, node.op.onnx(context));
  }

  private operand(tensor: Tensor): OnnxOperand {
    const { program, kept } = this;
    const valueOf = () => this.valueOf(tensor);
    return {
      get value() {
        return valueOf();
      },
      get dims() {
        return program.dimsOf(tensor);
      },
      dtype: tensor.dtype,
      content: this.constants.get(tensor.node),
      kept: (what) => kept.get(tensor.node)?.get(what),
    };
  }

  private valueOf(tensor: Tensor): Value {
    const known = this.values.get(tensor.node);
    if (known) return known[tensor.outputIndex]!;
    const [source] = tensor.node.inputs;
    const expanded = this.graph.op("Expand", [this.valueOf(source!), this.graph.extents(this.program.dimsOf(tensor))]);
    this.values.set(tensor.node, [expanded]);
    return expanded;
  }

  /** Operands with their broadcasts left out where the op does the same by itself. */
  private withoutBroadcasts(node: Node): Tensor[] {
    const operands = [...node.inputs];
    const wanted = () => this.program.dimsOf(new Tensor(node, 0));
    operands.forEach((operand, i) => {
      if (operand.node.op.name !== "broadcast") return;
      const shorter = operands.with(i, operand.node.inputs[0]!);
      if (broadcastsTo(shorter.map((tensor) => this.program.dimsOf(tensor)), wanted())) operands[i] = shorter[i]!;
    });
    return operands;
  }
}

const placeOf = (node: Node, output: number) => `${node.id}.${output}`;

const nameDim = (dim: Parameters<typeof spellDim>[0]) => (typeof dim === "number" ? dim : spellDim(dim));

/** `name`, with a number where another value of the graph has it already. */
function uniqueName(name: string, taken: Set<string>): string {
  let free = name;
  for (let i = 2; taken.has(free); i++) free = `${name}.${i}`;
  taken.add(free);
  return free;
}
