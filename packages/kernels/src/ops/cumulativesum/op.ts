import { HeddleError } from "../../errors.ts";
import { defineKernel, linearWorkgroups } from "../../program/kernel.ts";
import { defineOp, type LowerContext, type Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { emitOne, type TensorLike } from "../../program/trace.ts";
import { sizeOf } from "../../program/types.ts";

interface CumulativeSumAttributes {
  /** True: from the end, which is the gradient of the other. */
  reverse: boolean;
}

const cumulativeSumOp: Op<CumulativeSumAttributes> = defineOp<CumulativeSumAttributes>({
  name: "cumulativeSum",
  infer([x]) {
    if (x!.dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[cumulativeSum] wants f32, got ${x!.dtype}; convert with cast()`);
    if (x!.shape.length === 0) throw new HeddleError("SHAPE_MISMATCH", "[cumulativeSum] a scalar has no last axis; reshape it to [1]");
    return [x!];
  },
  vjp: ({ gradients: [g], attributes: { reverse } }) => [emitOne(cumulativeSumOp, [g!], { reverse: !reverse })],
  reference([x], { reverse }) {
    const steps = x!.shape.at(-1)!;
    const data = x!.data.slice();
    for (let i = 0; i < data.length; i++) {
      const at = reverse ? data.length - 1 - i : i;
      if (i % steps > 0) data[at]! += data[reverse ? at + 1 : at - 1]!;
    }
    return [{ ...x!, data }];
  },
  rowWise: { inputs: [0], outputs: [0] },
  lower: lowerCumulativeSum,
  onnx: ({ graph, inputs: [x], attributes: { reverse } }) => [graph.op("CumSum", [x!.value, graph.scalarExtent(-1)], { reverse: reverse ? 1 : 0 })],
});

const WORKGROUP_SIZE = 32;

/** A lane a row: sums along a sequence are of tokens, not of weights, and one after the other they have one order. */
const kernel = defineKernel({
  label: "cumulativeSum",
  reads: { x: "array<f32>" },
  writes: { y: "array<f32>" },
  params: { steps: "u32", reverse: "u32" },
  workgroupSize: [WORKGROUP_SIZE],
  linear: true,
  body: `
  var sum = 0.0;
  for (var i = 0u; i < p.steps; i++) {
    let at = index * p.steps + select(i, p.steps - 1u - i, p.reverse != 0u);
    sum += x[at];
    y[at] = sum;
  }`,
});

function lowerCumulativeSum({ attributes: { reverse }, inputs: [x], outputs: [y], dispatch }: LowerContext<CumulativeSumAttributes>): void {
  const { shape } = x!.type;
  const steps = shape.at(-1)!;
  const size = sizeOf(shape);
  if (size === 0) return;
  const count = size / steps;
  dispatch({ kernel, buffers: [x!, y!], params: { count, steps, reverse: reverse ? 1 : 0 }, workgroups: linearWorkgroups(count, WORKGROUP_SIZE), flops: size, bytes: 8 * size });
}

/**
 * Sums of the elements so far along the last axis: y[..., i] = x[..., 0] + … + x[..., i].
 *
 * @param x f32 [..., steps]
 * @returns f32, as x
 * @throws DTYPE_MISMATCH, SHAPE_MISMATCH
 */
export function cumulativeSum(x: TensorLike): Tensor {
  return emitOne(cumulativeSumOp, [x], { reverse: false });
}
