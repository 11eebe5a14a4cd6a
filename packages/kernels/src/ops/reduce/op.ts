import { HeddleError } from "../../errors.ts";
import type { Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, type TensorLike } from "../../program/trace.ts";
import { normalizeAxis, type Shape } from "../../program/types.ts";
import { broadcastTo } from "../broadcast/op.ts";
import { div, equal, mul } from "../elementwise/arithmetic.ts";
import { reshape } from "../reshape/op.ts";
import { referenceReduce } from "./op.reference.ts";
import { lowerReduce } from "./op.wgsl.ts";

export type Reduction = "sum" | "max";

/** One run of neighbouring axes, [begin, end), folded into one number each. */
export interface ReduceAttributes {
  reduction: Reduction;
  begin: number;
  end: number;
  /** Multiplies the result; absent: 1. Set where a mean's division was taken over. */
  scale?: number;
}

export const reduceOp: Op<ReduceAttributes> = {
  name: "reduce",
  infer([x], { reduction, begin, end }) {
    if (x!.dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[${reduction}] wants f32, got ${x!.dtype}; convert with cast()`);
    return [{ dtype: "f32", shape: x!.shape.map((extent, axis) => (axis >= begin && axis < end ? 1 : extent)) }];
  },
  vjp({ inputs: [x], outputs: [y], gradients: [g], attributes: { reduction } }) {
    const spread = broadcastTo(g!, x!.shape);
    if (reduction === "sum") return [spread];
    // Equal maxima share the gradient, as PyTorch's amax does.
    const hit = equal(x!, y!);
    const hits = emitOne(reduceOp, [hit], attributesOfSum(x!.shape, y!.shape));
    return [div(mul(spread, hit), hits)];
  },
  reference: referenceReduce,
  onnx({ graph, inputs: [x], attributes: { reduction, begin, end } }) {
    const axes = graph.ints(Array.from({ length: end - begin }, (_, i) => begin + i));
    const reduced = graph.op(reduction === "sum" ? "ReduceSum" : "ReduceMax", [x!.value, axes], { keepdims: 1 });
    // The largest of nothing is the smallest f32 here, −∞ in ONNX.
    return [reduction === "sum" ? reduced : graph.op("Max", [reduced, graph.float(-3.4028234663852886e38)])];
  },
  lower: lowerReduce,
  absorb({ attributes, consumer, others: [factor] }) {
    if (attributes.reduction !== "sum" || attributes.scale !== undefined || consumer.op.name !== "mul" || factor!.node.op.name !== "constant") return null;
    return { attributes: { ...attributes, scale: (factor!.node.attributes as { value: number }).value }, inputs: [], gone: [] };
  },
};

function attributesOfSum(from: Shape, to: Shape): ReduceAttributes {
  const changed = from.map((_, axis) => axis).filter((axis) => from[axis] !== to[axis]);
  return { reduction: "sum", begin: changed[0] ?? 0, end: (changed.at(-1) ?? -1) + 1 };
}

export interface ReduceOptions {
  /** All axes by default. Negative axes count from the end. */
  axes?: readonly number[];
  /** Keep reduced axes with extent 1. */
  keepDims?: boolean;
}

/** The axes to reduce, each once, in order. */
function chosenAxes(x: Tensor, axes: readonly number[] | undefined, where: string): number[] {
  return [...new Set((axes ?? x.shape.map((_, axis) => axis)).map((axis) => normalizeAxis(axis, x.rank, where)))].sort((a, b) => a - b);
}

const without = (shape: Shape, axes: readonly number[]) => shape.filter((_, axis) => !axes.includes(axis));

function reduce(reduction: Reduction, x: TensorLike, { axes, keepDims = false }: ReduceOptions): Tensor {
  const tensor = asTensor(x);
  const chosen = chosenAxes(tensor, axes, reduction);
  let result = tensor;
  // Runs of neighbouring axes, the last first: each is one kernel over [outer, reduced, inner].
  for (let last = chosen.length - 1; last >= 0; ) {
    let first = last;
    while (first > 0 && chosen[first - 1] === chosen[first]! - 1) first--;
    result = emitOne(reduceOp, [result], { reduction, begin: chosen[first]!, end: chosen[last]! + 1 });
    last = first - 1;
  }
  return keepDims ? result : reshape(result, without(tensor.shape, chosen));
}

/** Sum over axes. An empty axis sums to 0. */
export const sum = (x: TensorLike, options: ReduceOptions = {}): Tensor => reduce("sum", x, options);

/** Largest element over axes. An empty axis gives the smallest f32. */
export const max = (x: TensorLike, options: ReduceOptions = {}): Tensor => reduce("max", x, options);

/** Arithmetic mean over axes. */
export function mean(x: TensorLike, { axes, keepDims = false }: ReduceOptions = {}): Tensor {
  const tensor = asTensor(x);
  const chosen = chosenAxes(tensor, axes, "mean");
  const total = sum(tensor, { axes: chosen, keepDims: true });
  // Before the axes go, so that the sum's kernel can take the division over.
  const average = mul(total, total.size / Math.max(1, tensor.size));
  return keepDims ? average : reshape(average, without(tensor.shape, chosen));
}
