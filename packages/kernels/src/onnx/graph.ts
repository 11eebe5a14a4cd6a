import { HeddleError } from "../errors.ts";
import type { DType } from "../program/types.ts";
import { sameDim, spellDim, type Dim } from "./dims.ts";
import { elementTypes, type ElementType } from "./element-types.ts";
import { readsOf, renamed } from "./inner-graph.ts";
import type { AttributeValue, Initializer, NodeInfo, ValueInfo } from "./proto.ts";
import type { ScaledDim } from "./symbolic-program.ts";

/** A tensor of an ONNX graph, by its name. */
export type Value = string;

const MICROSOFT = "com.microsoft";

/**
 * Who runs the graph: this library's onnxruntime, whose own operators pay, or any runtime that a user takes the file to,
 * by ONNX's standard operators alone.
 */
export type OnnxTarget = "onnxruntime" | "portable";

/** Attributes that onnxruntime wants as floats are written `float(1)`. */
export const float = (value: number) => ({ float: value });

export interface MatmulForm {
  transposeA?: boolean;
  transposeB?: boolean;
  alpha?: number;
  rank?: number;
}

/** Values of a scan: what it carries from slice to slice, and slices. */
export interface Scanned {
  readonly carried: readonly Value[];
  readonly slices: readonly Value[];
}

/** An extent that differs from run to run: an axis of an input of the graph. */
export interface GraphSymbol {
  readonly name: string;
  readonly value: Value;
  readonly axis: number;
}

/**
 * Collects the nodes of a graph. Equal nodes are one node, so that lowerings may ask for the same mask or extent again
 * and again.
 */
export class OnnxGraph {
  private nodes: NodeInfo[] = [];
  private readonly initializers: Initializer[] = [];
  private known = new Map<string, Value[]>();
  private readonly booleans = new Map<Value, Value>();
  private readonly reshaped = new Map<Value, { readonly source: Value; readonly dims: readonly Dim[] }>();
  private count = 0;

  constructor(
    private readonly options: { readonly target: OnnxTarget; readonly int8: boolean; readonly wasm: boolean },
    private readonly symbols: readonly GraphSymbol[],
    /** Names of inputs, outputs and states, which no other value may have. */
    private readonly names: ReadonlySet<string>,
  ) {}

  get target(): OnnxTarget {
    return this.options.target;
  }

  /** Products with constant weights are wanted in int8. */
  get int8(): boolean {
    return this.options.int8;
  }

  /** onnxruntime-web runs it, and some kernels of its WebAssembly build are less exact than the native ones. */
  get wasm(): boolean {
    return this.options.wasm;
  }

  /** One node of ONNX's own operators with one output. */
  op(type: string, inputs: readonly Value[], attributes: Readonly<Record<string, AttributeValue>> = {}): Value {
    return this.node("", type, inputs, attributes, 1)[0]!;
  }

  /** One of onnxruntime's own operators. */
  microsoft(type: string, inputs: readonly Value[], attributes: Readonly<Record<string, AttributeValue>> = {}): Value {
    return this.node(MICROSOFT, type, inputs, attributes, 1)[0]!;
  }

  node(domain: string, type: string, inputs: readonly Value[], attributes: Readonly<Record<string, AttributeValue>>, outputs: number): Value[] {
    const key = `${domain}.${type}(${inputs.join()})${JSON.stringify(attributes)}${outputs}`;
    let values = this.known.get(key);
    if (!values) {
      values = Array.from({ length: outputs }, () => this.name(type));
      this.known.set(key, values);
      this.nodes.push({ domain, type, inputs, outputs: values, attributes });
    }
    return values;
  }

  /**
   * Runs `body` for each slice along the first axis of `slices`, one after the other, so that what it makes lies in memory for one
   * slice only. `body` may read values from outside. What is carried is f32.
   *
   * @returns what was carried in the end, and the slices that `body` made, along a new first axis
   */
  scan(carried: readonly Value[], slices: readonly { readonly value: Value; readonly type: ElementType }[], body: (carried: readonly Value[], slices: readonly Value[]) => Scanned): Scanned {
    const outside = { nodes: this.nodes, known: this.known };
    const info = (type: ElementType, name = this.name("slice")): ValueInfo => ({ name, type });
    const states = carried.map(() => info("f32", this.name("carried")));
    const inner = slices.map(({ type }) => info(type));
    [this.nodes, this.known] = [[], new Map(outside.known)];
    const made = body(states.map(({ name }) => name), inner.map(({ name }) => name));
    const graph = { name: this.name("body"), nodes: this.nodes, initializers: [], inputs: [...states, ...inner], outputs: [...made.carried, ...made.slices].map((value) => info("f32", value)) };
    [this.nodes, this.known] = [outside.nodes, outside.known];
    const values = this.node("", "Scan", [...carried, ...slices.map(({ value }) => value)], { num_scan_inputs: slices.length, body: { graph } }, made.carried.length + made.slices.length);
    return { carried: values.slice(0, made.carried.length), slices: values.slice(made.carried.length) };
  }

  /** The nodes that the outputs (values by their final names) need, and the constants that those read. */
  finish(outputs: ReadonlyMap<string, Value>): { nodes: NodeInfo[]; initializers: Initializer[] } {
    const made = new Set(this.nodes.flatMap((node) => node.outputs));
    const finalName = new Map<Value, string>();
    const copies: NodeInfo[] = [];
    for (const [name, value] of outputs) {
      // An input, a constant or what has a final name already cannot take another name.
      if (made.has(value) && !finalName.has(value)) finalName.set(value, name);
      else copies.push({ domain: "", type: "Identity", inputs: [value], outputs: [name], attributes: {} });
    }
    const rename = (value: Value) => finalName.get(value) ?? value;
    const all = [...this.nodes, ...copies].map((node) => renamed(node, rename));
    const needed = new Set<string>(outputs.keys());
    const nodes: NodeInfo[] = [];
    for (const node of all.toReversed()) {
      if (!node.outputs.some((output) => needed.has(output))) continue;
      nodes.push(node);
      for (const read of readsOf(node)) needed.add(read);
    }
    return { nodes: nodes.reverse(), initializers: this.initializers.filter(({ name }) => needed.has(name)) };
  }

  /** An f32 scalar. */
  float(value: number): Value {
    return this.constant("f32", [], Float32Array.of(value));
  }

  /** alpha · a · b over the last two axes; `rank` of the operands that come transposed. */
  matmul(a: Value, b: Value, { transposeA = false, transposeB = false, alpha = 1, rank = 2 }: MatmulForm = {}): Value {
    if (!transposeA && !transposeB && alpha === 1) return this.op("MatMul", [a, b]);
    if (this.target === "onnxruntime") return this.microsoft("FusedMatMul", [a, b], { transA: Number(transposeA), transB: Number(transposeB), alpha: float(alpha) });
    const perm = Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
    const transposed = (x: Value, wanted: boolean) => (wanted ? this.op("Transpose", [x], { perm }) : x);
    const product = this.op("MatMul", [transposed(a, transposeA), transposed(b, transposeB)]);
    return alpha === 1 ? product : this.op("Mul", [product, this.float(alpha)]);
  }

  /** A scalar of a program's dtype; one that follows from shapes is f32. */
  scalar(dtype: DType, value: number | ScaledDim): Value {
    if (typeof value !== "number") return this.scaled(value);
    return this.constant(dtype, [], dtype === "f32" ? Float32Array.of(value) : dtype === "i32" ? Int32Array.of(value) : Uint32Array.of(value));
  }

  /** An i64 vector. */
  ints(values: readonly number[]): Value {
    return this.constant("i64", [values.length], BigInt64Array.from(values, BigInt));
  }

  /** A small constant, shared with its equals. */
  constant(type: ElementType, shape: readonly number[], data: Float32Array | Int32Array | Uint32Array | BigInt64Array): Value {
    const key = `${type}[${shape.join()}]${data.join()}`;
    let values = this.known.get(key);
    if (!values) {
      values = [this.name("constant")];
      this.known.set(key, values);
      this.push(values[0]!, type, shape, data);
    }
    return values[0]!;
  }

  /** A large constant, known by its name alone. */
  weight(name: string, type: ElementType, shape: readonly number[], data: ArrayBufferView): Value {
    if (!this.known.has(name)) this.push(name, type, shape, data);
    this.known.set(name, [name]);
    return name;
  }

  cast(value: Value, to: ElementType): Value {
    return this.op("Cast", [value], { to: elementTypes[to] });
  }

  /** i32 numbers of rows or classes cut to [0, extent): onnxruntime refuses a whole batch for one outside. */
  clamped(numbers: Value, extent: Dim): Value {
    const last = this.cast(this.op("Sub", [this.scalarExtent(extent), this.scalarExtent(1)]), "i32");
    return this.op("Min", [this.op("Max", [numbers, this.scalar("i32", 0)]), last]);
  }

  /** f32 0 and 1 as the Boolean that comparisons make and Where takes. */
  truth(value: Value): Value {
    return this.booleans.get(value) ?? this.cast(value, "bool");
  }

  /** A Boolean as f32 0 and 1. */
  number(boolean: Value): Value {
    const value = this.cast(boolean, "f32");
    this.booleans.set(value, boolean);
    return value;
  }

  /** An i64 vector of extents. */
  extents(dims: readonly Dim[]): Value {
    if (dims.every((dim) => typeof dim === "number")) return this.ints(dims as number[]);
    return dims.length === 1 ? this.extent(dims[0]!) : this.op("Concat", dims.map((dim) => this.extent(dim)), { axis: 0 });
  }

  /** `from` tells the shape that `x` has: going back to what was reshaped before costs nothing. */
  reshape(x: Value, dims: readonly Dim[], from?: readonly Dim[]): Value {
    const before = this.reshaped.get(x);
    if (before && before.dims.length === dims.length && before.dims.every((dim, axis) => sameDim(dim, dims[axis]!))) return before.source;
    // `allowzero`: an extent of 0 is 0, not "as before".
    const y = this.op("Reshape", [x, this.reshapeTarget(dims)], dims.includes(0) ? { allowzero: 1 } : {});
    if (from) this.reshaped.set(y, { source: x, dims: from });
    return y;
  }

  /** One unknown extent is worked out by the runtime. */
  private reshapeTarget(dims: readonly Dim[]): Value {
    const open = dims.filter((dim) => typeof dim !== "number");
    return open.length === 1 && !dims.includes(0) ? this.ints(dims.map((dim) => (typeof dim === "number" ? dim : -1))) : this.extents(dims);
  }

  /** An f32 scalar that follows from the extents. */
  private scaled({ scale, dim, reciprocal }: ScaledDim): Value {
    const extent = this.op("Reshape", [this.cast(this.extent(dim), "f32"), this.ints([])]);
    return this.op(reciprocal ? "Div" : "Mul", [this.float(scale), extent]);
  }

  /** An i64 scalar. */
  scalarExtent(dim: Dim): Value {
    return typeof dim === "number" ? this.constant("i64", [], BigInt64Array.of(BigInt(dim))) : this.op("Reshape", [this.extent(dim), this.ints([])]);
  }

  /** An i64 vector of one extent. */
  private extent(dim: Dim): Value {
    if (typeof dim === "number") return this.ints([dim]);
    const factors = dim.symbols.map((name) => {
      const symbol = this.symbols.find((one) => one.name === name);
      if (!symbol) throw new HeddleError("DYNAMIC_SHAPE", `[onnx] no input tells the extent ${spellDim(dim)}`);
      return this.op("Shape", [symbol.value], { start: symbol.axis, end: symbol.axis + 1 });
    });
    if (dim.coefficient !== 1) factors.push(this.ints([dim.coefficient]));
    const product = factors.reduce((a, b) => this.op("Mul", [a, b]));
    return dim.offset === 0 ? product : this.op("Add", [product, this.ints([dim.offset])]);
  }

  private push(name: string, type: ElementType, shape: readonly number[], data: ArrayBufferView): void {
    this.initializers.push({ name, type, shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) });
  }

  private name(type: string): string {
    let name: string;
    do name = `${type}_${this.count++}`;
    while (this.names.has(name));
    return name;
  }
}
