import { HeddleError } from "../../errors.ts";
import type { Dim } from "../../onnx/dims.ts";
import { defineOp, type Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, type TensorLike } from "../../program/trace.ts";
import { formatShape, normalizeAxis, VIEW_ALIGNMENT, type Shape } from "../../program/types.ts";
import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { viewAxis, windowDispatch } from "./copy.wgsl.ts";

export interface SliceAttributes {
  axis: number;
  begin: number;
  end: number;
}

interface PadAttributes {
  axis: number;
  before: number;
  after: number;
}

const withExtent = (shape: Shape, axis: number, extent: number) => shape.map((old, i) => (i === axis ? extent : old));

/** One axis of an i64 vector with an extent for each axis. */
const onAxis = (dims: readonly unknown[], axis: number, extent: Dim): Dim[] => dims.map((_, i) => (i === axis ? extent : 0));

/** Exported for ops that read a slice where it lies. */
export const sliceOp: Op<SliceAttributes> = defineOp<SliceAttributes>({
  name: "slice",
  infer: ([x], { axis, begin, end }) => [{ dtype: x!.dtype, shape: withExtent(x!.shape, axis, end - begin) }],
  vjp: ({ inputs: [x], gradients: [g], attributes: { axis, begin, end } }) => [pad(g!, { axis, before: begin, after: x!.shape[axis]! - end })],
  reference: ([x], { axis, begin, end }, context) => [referenceWindow(x!, withExtent(x!.shape, axis, end - begin), axis, begin, context)],
  // Steps of the first axis that counts lie together.
  view([x], { axis, begin }) {
    const { outer, inner } = viewAxis(x!.shape, axis);
    return outer === 1 && x!.dtype !== "f16" && (begin * inner) % VIEW_ALIGNMENT === 0 ? begin * inner : null;
  },
  lower: ({ inputs: [x], outputs: [y], attributes: { axis, begin }, dispatch }) => dispatch(windowDispatch(x!, y!, axis, begin)),
  onnx: ({ graph, inputs: [x], attributes: { axis }, dim }) => [graph.op("Slice", [x!.value, graph.extents([dim("begin")]), graph.extents([dim("end")]), graph.ints([axis])])],
});

const padOp: Op<PadAttributes> = defineOp<PadAttributes>({
  name: "pad",
  infer: ([x], { axis, before, after }) => [{ dtype: x!.dtype, shape: withExtent(x!.shape, axis, x!.shape[axis]! + before + after) }],
  vjp: ({ inputs: [x], gradients: [g], attributes: { axis, before } }) => [slice(g!, { axis, begin: before, end: before + x!.shape[axis]! })],
  reference: ([x], { axis, before, after }, context) => [referenceWindow(x!, withExtent(x!.shape, axis, x!.shape[axis]! + before + after), axis, -before, context)],
  lower: ({ inputs: [x], outputs: [y], attributes: { axis, before }, dispatch }) => dispatch(windowDispatch(x!, y!, axis, -before)),
  onnx: ({ graph, inputs: [x], attributes: { axis }, dim }) => [graph.op("Pad", [x!.value, graph.extents([...onAxis(x!.dims, axis, dim("before")), ...onAxis(x!.dims, axis, dim("after"))])])],
});

function referenceWindow(x: NdArray, shape: Shape, axis: number, shift: number, context: ReferenceContext): NdArray {
  const y = context.zeros(x.dtype, shape);
  const { outer, extent, inner } = viewAxis(shape, axis);
  const from = x.shape[axis]!;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < extent; i++) {
      if (i + shift < 0 || i + shift >= from) continue;
      for (let k = 0; k < inner; k++) y.data[(o * extent + i) * inner + k] = x.data[(o * from + i + shift) * inner + k]!;
    }
  }
  return y;
}

export interface SliceOptions {
  /** Negative axes count from the end. */
  axis: number;
  /** First step kept; negative counts from the end. Default 0. */
  begin?: number;
  /** First step not kept any more; negative counts from the end. By default the end. */
  end?: number;
}

/**
 * Steps [begin, end) of one axis.
 *
 * @throws INVALID_ARGUMENT where they are not inside the axis
 */
export function slice(x: TensorLike, { axis, begin = 0, end }: SliceOptions): Tensor {
  const tensor = asTensor(x);
  const along = normalizeAxis(axis, tensor.rank, "slice");
  const extent = tensor.shape[along]!;
  const first = begin < 0 ? begin + extent : begin;
  const last = end === undefined ? extent : end < 0 ? end + extent : end;
  if (!Number.isInteger(first) || !Number.isInteger(last) || first < 0 || first > last || last > extent) {
    throw new HeddleError("INVALID_ARGUMENT", `[slice] steps ${begin} to ${end ?? "the end"} are not inside axis ${axis} of ${formatShape(tensor.shape)}, which has ${extent}`);
  }
  return first === 0 && last === extent ? tensor : emitOne(sliceOp, [tensor], { axis: along, begin: first, end: last });
}

export interface PadOptions {
  axis: number;
  before?: number;
  after?: number;
}

/**
 * Zeros before and after one axis.
 *
 * @throws INVALID_ARGUMENT for a negative or fractional number of steps
 */
export function pad(x: TensorLike, { axis, before = 0, after = 0 }: PadOptions): Tensor {
  const tensor = asTensor(x);
  const along = normalizeAxis(axis, tensor.rank, "pad");
  if (![before, after].every((steps) => Number.isInteger(steps) && steps >= 0)) throw new HeddleError("INVALID_ARGUMENT", `[pad] before and after must be whole numbers, not negative, got ${before} and ${after}; slice() takes steps away`);
  return before === 0 && after === 0 ? tensor : emitOne(padOp, [tensor], { axis: along, before, after });
}
