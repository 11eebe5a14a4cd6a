import type { DType, HostTensor } from "../program/types.ts";
import type { Dim } from "./dims.ts";
import type { OnnxGraph, Value } from "./graph.ts";
import type { ScaledDim } from "./symbolic-program.ts";

/** What an op's ONNX lowering sees. Shapes are dims, as one graph may serve many. */
export interface OnnxContext<A> {
  readonly graph: OnnxGraph;
  readonly attributes: A;
  readonly inputs: readonly OnnxOperand[];
  readonly outputs: readonly OnnxResult[];
  /** An attribute that is an extent and may differ from shape to shape. */
  dim(attribute: keyof A & string): Dim;
  /** The value of a `constant`, which may follow from shapes. */
  number(): number | ScaledDim;
  /**
   * Leaves a value for the lowering of another op that takes one of this op's outputs: cross-entropy's log-probabilities for
   * its gradient. Not a value of the program, so nothing is computed where nobody asks.
   */
  keep(what: string, value: Value): void;
}

export interface OnnxOperand {
  /** The operand's value in the graph. */
  readonly value: Value;
  readonly dtype: DType;
  readonly dims: readonly Dim[];
  /** Known while the graph is built: a parameter of a model that does not change. */
  readonly content: HostTensor["data"] | undefined;
  /** What the op that made this operand has kept. */
  kept(what: string): Value | undefined;
}

export interface OnnxResult {
  readonly dtype: DType;
  readonly dims: readonly Dim[];
  /** False where no op and no caller reads it: a lowering may leave it out. */
  readonly wanted: boolean;
}
