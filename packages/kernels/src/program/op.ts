import type { AdapterProfile } from "../device/profile.ts";
import type { OnnxContext } from "../onnx/context.ts";
import type { Value } from "../onnx/graph.ts";
import type { Design, Tunable } from "./design.ts";
import type { BufferRef, DispatchSpec } from "./lowering.ts";
import type { NdArray, ReferenceContext } from "../reference/ndarray.ts";
import type { RowWise } from "./blocks.ts";
import type { Node, Tensor } from "./tensor.ts";
import type { TensorType } from "./types.ts";

/** Everything an op does not take as a tensor. Plain JSON, so that equal nodes can be found by text. */
export type Attributes = object;

export interface VjpContext<A> {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: A;
  /** Gradient of the loss with respect to each output; null where the loss does not depend on it. */
  readonly gradients: readonly (Tensor | null)[];
}

export interface LowerContext<A, D extends Design = Design> {
  readonly attributes: A;
  /** One of the op's own, where it is tunable. */
  readonly design: D | undefined;
  readonly inputs: readonly BufferRef[];
  /** Without the op's `optionalOutputs` where nothing reads them. */
  readonly outputs: readonly BufferRef[];
  readonly adapter: AdapterProfile;
  /** Memory that lives only between the dispatches of this op. */
  scratch(type: TensorType): BufferRef;
  /** Numbers known now, uploaded once with the kernels' parameters. */
  table(data: Uint32Array): BufferRef;
  /** Fills memory with zeros: the driver's own way takes a third of a kernel's time. */
  clear(what: BufferRef): void;
  dispatch(spec: DispatchSpec): void;
}

/** How a fused kernel spells one element (or four of them) of an element-wise op. */
export interface ElementwiseWgsl {
  /** Spells a constant at the kernel's width: `4` lanes → `vec4f(0.5)`. */
  constant(value: number): string;
  /** The element's linear index in the output: u32, or vec4u at width 4. */
  readonly index: string;
  /** 1 or 4. */
  readonly width: 1 | 4;
  /** Type name at the kernel's width: `f32` or `vec4f`. */
  readonly float: string;
  readonly unsigned: string;
  readonly signed: string;
  /** A u32 that differs from use to use, such as a random stream: it goes into the kernel's parameters, so that the text stays the same. */
  uniform(value: number): string;
}

export interface Elementwise<A> {
  /** An expression over the operands' names. Operands are evaluated once; expressions may repeat them. */
  wgsl(operands: readonly string[], attributes: A, spell: ElementwiseWgsl): string;
  /** Module-scope WGSL functions that the expression calls, by name, at the kernel's width. */
  functions?(spell: ElementwiseWgsl, attributes: A): Record<string, string>;
  /** The naive element: f64 arithmetic on plain numbers. */
  reference(operands: readonly number[], attributes: A, index: number): number;
}

export interface AbsorbContext<A> {
  readonly attributes: A;
  /** Of the op's output 0, which `consumer` alone reads. */
  readonly type: TensorType;
  /** An element-wise node. */
  readonly consumer: Node;
  /** What else the consumer reads. */
  readonly others: readonly Tensor[];
  /** Whether nothing but one node reads any output of this tensor's node. */
  readOnce(tensor: Tensor): boolean;
}

export interface Absorbed<A> {
  readonly attributes: A;
  /** Appended to the op's inputs. */
  readonly inputs: readonly Tensor[];
  /** Further nodes that the joined one does, and nobody else needs. */
  readonly gone: readonly Node[];
}

/** How nodes of one op with the same input 0 are done at once. */
export interface Siblings {
  /** Takes input 0 once, then the other inputs of each node in turn; gives the outputs of each in turn. */
  readonly op: Op;
  /** Whether this node can be among them: its inputs but the first must be states. */
  joins(node: Node): boolean;
  /** Whether two nodes that can are alike enough. */
  alike(a: Node, b: Node): boolean;
}

/**
 * One operation: its contract (`infer`), its gradient written with other ops (`vjp`), its naive reference, how it
 * reaches the GPU: as an expression that fusion may join with its neighbours (`elementwise`), as a view of its first
 * input's memory (`view`), or as kernels of its own (`lower`, `lowerTogether`); and how it is written in ONNX (`onnx`).
 */
export interface Op<A extends Attributes = Attributes, D extends Design = Design> {
  readonly name: string;
  /** Shape and dtype rules. Throws SHAPE_MISMATCH, DTYPE_MISMATCH or INVALID_ARGUMENT with the op's name. */
  infer(inputs: readonly TensorType[], attributes: A): TensorType[];
  /** One gradient per input; null where it is zero or undefined (integers). Absent: not differentiable. */
  vjp?(context: VjpContext<A>): (Tensor | null)[];
  reference?(inputs: readonly NdArray[], attributes: A, context: ReferenceContext): NdArray[];
  readonly elementwise?: Elementwise<A>;
  /**
   * The output is input 0's memory under another shape: always (true), or where the function gives the element at which it
   * begins there, a multiple of VIEW_ALIGNMENT; null: this one is lowered.
   */
  readonly view?: true | ((inputs: readonly TensorType[], attributes: A) => number | null);
  lower?(context: LowerContext<A, D>): void;
  /** Several lowerings to choose from; `lower` is told which. */
  readonly tunable?: Tunable<A, D>;
  /** In place of `lower`: the lowering of all nodes of this op between which no result is needed, in as few dispatches as it can. */
  lowerTogether?(contexts: readonly LowerContext<A>[]): void;
  /** Inputs that the planner should lay next to each other in one storage where it is free to, so that one binding covers many. */
  readonly adjacentInputs?: (inputs: readonly TensorType[]) => readonly number[];
  /** Present: the leading axes of input 0 are rows that the op treats one by one, in these operands; so large ones can be done in blocks. */
  readonly rowWise?: RowWise;
  /** Takes over the element-wise node that alone reads output 0, where a kernel of this op can do both; else null. See rewrite.ts. */
  absorb?(context: AbsorbContext<A>): Absorbed<A> | null;
  /** Another op that does several nodes of this one at once; see siblings.ts. */
  readonly siblings?: Siblings;
  /** True: the planner lays the outputs next to each other in one storage, so that one binding covers them. */
  readonly adjacentOutputs?: boolean;
  /** Writes the op as nodes of an ONNX graph; gives the values of its outputs. */
  onnx?(context: OnnxContext<A>): readonly Value[];
  /** True: takes f16 operands. All others refuse them: f16 is for storage, and most kernels read whole words. */
  readonly readsHalf?: boolean;
  /** True: operands broadcast by NumPy's rules, in ONNX as well. */
  readonly broadcasts?: boolean;
  /** The number of trailing outputs kept for the gradient's sake: one that nothing reads gets no memory, and `lower` does not see it. */
  readonly optionalOutputs?: number;
  /**
   * `inPlace[output] = input`: the kernel overwrites that input's memory with that output and binds it once, through
   * the output. The planner hands both the same memory, copying first where the old value is still needed.
   */
  readonly inPlace?: (inputs: readonly TensorType[]) => Readonly<Record<number, number>>;
}

/** Defines an op; exists for inference of `A` only. */
export function defineOp<A extends Attributes>(op: Op<A>): Op<A> {
  return op;
}
