import type { Op } from "./op.ts";
import type { DType, Shape, TensorType } from "./types.ts";
import { sizeOf } from "./types.ts";

/** One operation in a traced program. */
export interface Node {
  readonly id: number;
  readonly op: Op;
  readonly inputs: readonly Tensor[];
  readonly attributes: object;
  readonly outputs: readonly TensorType[];
}

/** A symbolic tensor: a shape, a dtype, and which output of which node it is. It holds no numbers. */
export class Tensor {
  constructor(
    readonly node: Node,
    readonly outputIndex: number,
  ) {}

  get type(): TensorType {
    return this.node.outputs[this.outputIndex]!;
  }

  get shape(): Shape {
    return this.type.shape;
  }

  get dtype(): DType {
    return this.type.dtype;
  }

  get rank(): number {
    return this.shape.length;
  }

  get size(): number {
    return sizeOf(this.shape);
  }
}

/** Where in its first input's memory a node's output begins, in elements, where it is only another look at that memory; else null. */
export function viewOffset({ op, inputs, attributes }: Node): number | null {
  if (!op.view) return null;
  return op.view === true ? 0 : op.view(inputs.map(({ type }) => type), attributes);
}

/** Names one output of one node of a trace. */
export const keyOf = (node: Node, output: number): string => `${node.id}.${output}`;

/** The key of the tensor whose memory `tensor` shows: its own, or that of what it is a view of. */
export function ownerKey(tensor: Tensor): string {
  let owner = tensor;
  while (viewOffset(owner.node) !== null) owner = owner.node.inputs[0]!;
  return keyOf(owner.node, owner.outputIndex);
}
