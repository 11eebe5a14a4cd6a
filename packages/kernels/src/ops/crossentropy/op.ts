import { HeddleError } from "../../errors.ts";
import { defineOp, type Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emit, emitOne, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape, type Shape, type TensorType } from "../../program/types.ts";
import { mul, neg } from "../elementwise/arithmetic.ts";
import { checkReduction, reduceLoss, type LossReduction } from "../losses/reduction.ts";
import { sum } from "../reduce/op.ts";
import { logSoftmax } from "../softmax/op.ts";
import { onnxCrossEntropy, onnxCrossEntropyGradient } from "./op.onnx.ts";
import { referenceCrossEntropy, referenceCrossEntropyGradient } from "./op.reference.ts";
import { lowerCrossEntropy } from "./forward.wgsl.ts";
import { lowerCrossEntropyGradient } from "./gradient.wgsl.ts";

export interface CrossEntropyAttributes {
  ignoreIndex: number;
  labelSmoothing: number;
  reduction: LossReduction;
}

/**
 * (logits, labels, [weight]) → the losses or their total; what the gradient needs of each row: (largest logit,
 * ln Σ exp(logit − largest), Σ targets, 0); and for a mean, 1 / Σ weights of the rows that count.
 */
export const crossEntropyOp: Op<CrossEntropyAttributes> = defineOp<CrossEntropyAttributes>({
  name: "crossEntropy",
  infer([logits, labels, weight], attributes) {
    checkTypes(logits!, labels!, weight);
    checkOptions(attributes, "crossEntropy");
    return lossTypes(labels!.shape, attributes);
  },
  vjp({ inputs, outputs: [, statistics, ...factor], gradients: [g], attributes }) {
    const [logits, labels, ...weight] = inputs;
    return [g ? emitOne(gradientOp, [logits!, labels!, statistics!, g, ...factor, ...weight], attributes) : null, null, ...weight.map(() => null)];
  },
  reference: referenceCrossEntropy,
  lower: (context) => lowerCrossEntropy(context),
  onnx: onnxCrossEntropy,
});

/** (logits, labels, statistics, gradient of the losses or their total, [a mean's factor], [weight]) → gradient of the logits, in the logits' memory. */
const gradientOp = defineOp<CrossEntropyAttributes>({
  name: "crossEntropyGradient",
  infer: ([logits]) => [logits!],
  reference: referenceCrossEntropyGradient,
  lower: lowerCrossEntropyGradient,
  onnx: onnxCrossEntropyGradient,
  inPlace: () => ({ 0: 0 }),
});

/** Of the losses of rows or their total, the rows' statistics, and for a mean its factor. */
export function lossTypes(rows: Shape, { reduction }: CrossEntropyAttributes): TensorType[] {
  const scalar: TensorType = { dtype: "f32", shape: [] };
  return [reduction === "none" ? { dtype: "f32", shape: rows } : scalar, { dtype: "f32", shape: [...rows, 4] }, ...(reduction === "mean" ? [scalar] : [])];
}

/** Throws INVALID_ARGUMENT. */
export function checkOptions({ ignoreIndex, labelSmoothing, reduction }: CrossEntropyAttributes, where: string): void {
  checkReduction(reduction, where);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) throw new HeddleError("INVALID_ARGUMENT", `[${where}] labelSmoothing must be in [0, 1], got ${labelSmoothing}; 0.1 is usual`);
  if (!Number.isInteger(ignoreIndex) || Math.abs(ignoreIndex) > 2 ** 31 - 1) throw new HeddleError("INVALID_ARGUMENT", `[${where}] ignoreIndex must be a 32-bit whole number, got ${ignoreIndex}`);
}

function checkTypes(logits: TensorType, labels: TensorType, weight: TensorType | undefined): void {
  if (logits.dtype !== "f32" || labels.dtype !== "i32") {
    throw new HeddleError("DTYPE_MISMATCH", `[crossEntropy] wants f32 logits and i32 labels, got ${logits.dtype} and ${labels.dtype}; for probabilities as targets use softCrossEntropy()`);
  }
  const classes = logits.shape.at(-1);
  if (!classes || !sameShape(logits.shape.slice(0, -1), labels.shape)) {
    throw new HeddleError("SHAPE_MISMATCH", `[crossEntropy] logits must be [..., classes] with one label for each row: logits ${formatShape(logits.shape)} with labels ${formatShape(labels.shape)}`);
  }
  if (weight && (weight.dtype !== "f32" || !sameShape(weight.shape, [classes]))) {
    throw new HeddleError("SHAPE_MISMATCH", `[crossEntropy] weight must be f32 [${classes}], one number a class; got ${weight.dtype} ${formatShape(weight.shape)}`);
  }
}

export interface CrossEntropyOptions {
  /** Rows with this label count for nothing. Default -100. */
  ignoreIndex?: number;
  /** Probability mass spread evenly over all classes, in [0, 1]. Default 0. */
  labelSmoothing?: number;
  /** f32 [classes]: how much each class counts. It gets no gradient. */
  weight?: TensorLike;
  /** `mean`, the default, divides by the weights of the rows that count. */
  reduction?: LossReduction;
}

/**
 * Cross-entropy of logits against class numbers, equal to torch.nn.functional.cross_entropy in every combination of its
 * options, but for one case: where every row is ignored the mean is 0, not NaN, so that an empty batch leaves a model as
 * it was.
 *
 * Labels outside [0, classes) that are not `ignoreIndex` read the nearest class instead of foreign memory; check them on
 * the host first. The logits are one binding: at most 128 MiB on default limits;
 * `linearCrossEntropy` makes larger ones in chunks.
 *
 * @param logits f32 [..., classes]; classes last
 * @param labels i32 [...]
 * @returns f32 [], or [...] for reduction "none"
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function crossEntropy(logits: TensorLike, labels: TensorLike, { ignoreIndex = -100, labelSmoothing = 0, weight, reduction = "mean" }: CrossEntropyOptions = {}): Tensor {
  return emit(crossEntropyOp, weight === undefined ? [logits, labels] : [logits, labels, weight], { ignoreIndex, labelSmoothing, reduction })[0]!;
}

/**
 * Cross-entropy against probabilities: −Σ targets · log softmax(logits) of each row, as torch.nn.functional.cross_entropy
 * with floating-point targets. `mean` divides by the number of rows. Targets may come from another model (distillation);
 * they get a gradient too.
 *
 * @param logits f32 [..., classes]
 * @param targets f32 [..., classes]
 * @returns f32 [], or [...] for reduction "none"
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function softCrossEntropy(logits: TensorLike, targets: TensorLike, { reduction = "mean" }: { reduction?: LossReduction } = {}): Tensor {
  const [scores, wanted] = [asTensor(logits), asTensor(targets)];
  if (!sameShape(scores.shape, wanted.shape)) {
    throw new HeddleError("SHAPE_MISMATCH", `[softCrossEntropy] targets must have the logits' shape ${formatShape(scores.shape)}, got ${formatShape(wanted.shape)}`);
  }
  return reduceLoss(neg(sum(mul(wanted, logSoftmax(scores)), { axes: [-1] })), reduction, "softCrossEntropy");
}
