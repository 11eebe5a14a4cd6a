import { HeddleError } from "../../errors.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import type { Elementwise, Op, VjpContext } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import type { DType, Shape } from "../../program/types.ts";
import { broadcastShapes, sameShape } from "../../program/types.ts";
import { reshape } from "../reshape/op.ts";
import { sum } from "../reduce/op.ts";

interface ElementwiseSpec<A extends object> extends Elementwise<A> {
  name: string;
  operands: number;
  /** Dtype that every operand must have; `same` demands one dtype of all and gives it to the result. */
  accepts: DType | "same" | "any";
  result?: DType | ((attributes: A) => DType);
  /** The op on whole tensors in ONNX; the graph broadcasts them. */
  onnx(graph: OnnxGraph, operands: readonly Value[], attributes: A): Value;
  /** Gradients at the output's shape; summed down to each operand's shape for the author. */
  vjp?(context: VjpContext<A>, gradient: Tensor): (Tensor | null)[];
}

/** Defines an op that computes each element from the operands' elements at the same place, with NumPy's broadcasting. */
export function defineElementwise<A extends object = object>(spec: ElementwiseSpec<A>): Op<A> {
  const { vjp } = spec;
  return {
    name: spec.name,
    infer(inputs, attributes) {
      if (inputs.length !== spec.operands) throw new HeddleError("INVALID_ARGUMENT", `[${spec.name}] takes ${spec.operands} operands, got ${inputs.length}`);
      const first = inputs[0]!.dtype;
      const wanted = spec.accepts === "same" ? first : spec.accepts;
      const wrong = inputs.find((input) => wanted !== "any" && input.dtype !== wanted);
      if (wrong) throw new HeddleError("DTYPE_MISMATCH", `[${spec.name}] wants ${wanted} operands, got ${inputs.map((input) => input.dtype).join(" and ")}; convert with cast()`);
      const result = typeof spec.result === "function" ? spec.result(attributes) : (spec.result ?? first);
      return [{ dtype: result, shape: broadcastShapes(inputs.map((input) => input.shape), spec.name) }];
    },
    ...(vjp && {
      vjp(context: VjpContext<A>) {
        const gradient = context.gradients[0]!;
        return vjp(context, gradient).map((g, i) => (g ? sumTo(g, context.inputs[i]!.shape) : null));
      },
    }),
    broadcasts: true,
    onnx: ({ graph, inputs, attributes }) => [spec.onnx(graph, inputs.map(({ value }) => value), attributes)],
    elementwise: { wgsl: spec.wgsl, reference: spec.reference, ...(spec.functions && { functions: spec.functions }) },
  };
}

/** Sums `x` over the axes along which `shape` was broadcast to it. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.rank - shape.length;
  const axes = x.shape.map((_, axis) => axis).filter((axis) => axis < lead || (shape[axis - lead] === 1 && x.shape[axis] !== 1));
  return reshape(axes.length > 0 ? sum(x, { axes, keepDims: true }) : x, shape);
}
