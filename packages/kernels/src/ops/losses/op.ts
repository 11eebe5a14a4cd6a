import { HeddleError } from "../../errors.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape } from "../../program/types.ts";
import { softplus } from "../activation/op.ts";
import { add, mul, neg, sub } from "../elementwise/arithmetic.ts";
import { reduceLoss, type LossReduction } from "./reduction.ts";

export interface LossOptions {
  /** `mean`, the default, over all elements. */
  reduction?: LossReduction;
}

function sameShapes(where: string, predictions: TensorLike, targets: TensorLike): [Tensor, Tensor] {
  const [a, b] = [asTensor(predictions), asTensor(targets)];
  if (!sameShape(a.shape, b.shape)) {
    throw new HeddleError("SHAPE_MISMATCH", `[${where}] predictions ${formatShape(a.shape)} and targets ${formatShape(b.shape)} must have one shape; reshape one, for broadcasting would compare every pair`);
  }
  return [a, b];
}

/**
 * Squared error, as torch.nn.functional.mse_loss.
 *
 * @param predictions f32 of any shape
 * @param targets f32 of the same shape
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function mseLoss(predictions: TensorLike, targets: TensorLike, { reduction = "mean" }: LossOptions = {}): Tensor {
  const difference = sub(...sameShapes("mseLoss", predictions, targets));
  return reduceLoss(mul(difference, difference), reduction, "mseLoss");
}

export interface BceWithLogitsOptions extends LossOptions {
  /** How much positive targets count: f32, broadcasting to the logits (one number a label). Above 1 for rare labels. */
  posWeight?: TensorLike;
}

/**
 * Binary cross-entropy of logits, as torch.nn.functional.binary_cross_entropy_with_logits, by softplus so that no logit
 * overflows and no term cancels another: posWeight·y·ln(1 + e⁻ˣ) + (1 − y)·ln(1 + eˣ).
 *
 * @param logits f32 of any shape
 * @param targets f32 of the same shape, in [0, 1]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function bceWithLogits(logits: TensorLike, targets: TensorLike, { posWeight, reduction = "mean" }: BceWithLogitsOptions = {}): Tensor {
  const [x, y] = sameShapes("bceWithLogits", logits, targets);
  const emphasis = asTensor(posWeight ?? 1);
  const losses = add(mul(emphasis, mul(y, softplus(neg(x)))), mul(sub(1, y), softplus(x)));
  if (!sameShape(losses.shape, x.shape)) {
    throw new HeddleError("SHAPE_MISMATCH", `[bceWithLogits] posWeight ${formatShape(emphasis.shape)} does not broadcast to the logits ${formatShape(x.shape)}; give one number for each label`);
  }
  return reduceLoss(losses, reduction, "bceWithLogits");
}
