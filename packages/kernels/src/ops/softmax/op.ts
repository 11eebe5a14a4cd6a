import { HeddleError } from "../../errors.ts";
import type { Value } from "../../onnx/graph.ts";
import { defineOp } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { emitOne, type TensorLike } from "../../program/trace.ts";
import { referenceSoftmax, referenceSoftmaxGradient } from "./op.reference.ts";
import { lowerSoftmax, lowerSoftmaxGradient } from "./op.wgsl.ts";

export interface SoftmaxAttributes {
  /** Logarithms of the probabilities instead of the probabilities. */
  log: boolean;
}

export const softmaxOp = defineOp<SoftmaxAttributes>({
  name: "softmax",
  infer([x], { log }) {
    const name = log ? "logSoftmax" : "softmax";
    if (x!.dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[${name}] wants f32, got ${x!.dtype}; convert with cast()`);
    if (x!.shape.length === 0) throw new HeddleError("SHAPE_MISMATCH", `[${name}] wants at least one axis, got a scalar; reshape it to [1]`);
    return [x!];
  },
  vjp: ({ outputs: [y], gradients: [g], attributes }) => [emitOne(gradientOp, [y!, g!], attributes)],
  reference: referenceSoftmax,
  rowWise: { inputs: [0], outputs: [0] },
  lower: (context) => lowerSoftmax(context),
  onnx: ({ graph, inputs: [x], attributes: { log } }) => [graph.op(log ? "LogSoftmax" : "Softmax", [x!.value], { axis: -1 })],
});

/** (y, dy) → dx: y·(dy − Σ dy·y), or dy − eʸ·Σ dy for logarithms. */
const gradientOp = defineOp<SoftmaxAttributes>({
  name: "softmaxGradient",
  infer: ([y]) => [y!],
  reference: referenceSoftmaxGradient,
  rowWise: { inputs: [0, 1], outputs: [0] },
  lower: (context) => lowerSoftmaxGradient(context),
  onnx({ graph, inputs: [y, g], attributes: { log } }) {
    const rowSum = (x: Value) => graph.op("ReduceSum", [x, graph.ints([-1])], { keepdims: 1 });
    if (log) return [graph.op("Sub", [g!.value, graph.op("Mul", [graph.op("Exp", [y!.value]), rowSum(g!.value)])])];
    return [graph.op("Mul", [y!.value, graph.op("Sub", [g!.value, rowSum(graph.op("Mul", [g!.value, y!.value]))])])];
  },
});

/**
 * Softmax over the last axis. Mask with large finite negative numbers (-3.4e38): they become exactly 0, and a row that is
 * masked throughout becomes uniform, never NaN.
 *
 * @param x f32 [..., classes]
 * @returns f32 [..., classes]; each row adds to 1
 * @throws DTYPE_MISMATCH, SHAPE_MISMATCH
 */
export const softmax = (x: TensorLike): Tensor => emitOne(softmaxOp, [x], { log: false });

/**
 * Logarithm of softmax over the last axis, exact where the probability itself would round to 0.
 *
 * @param x f32 [..., classes]
 * @returns f32 [..., classes]
 * @throws DTYPE_MISMATCH, SHAPE_MISMATCH
 */
export const logSoftmax = (x: TensorLike): Tensor => emitOne(softmaxOp, [x], { log: true });
