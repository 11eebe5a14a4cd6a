import type { Tensor } from "../../program/tensor.ts";
import { emit, type TensorLike } from "../../program/trace.ts";
import { defineNorm, normOfSum, type NormOfSum } from "../norm/define.ts";

export const rmsNormOp = defineNorm("rmsNorm", false);

export interface RmsNormOptions {
  /** True: the stored weight is what the factor differs from 1 by, as Gemma's checkpoints have it. Default false. */
  unitOffset?: boolean;
}

/**
 * Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019, equation 4), as torch.nn.functional.rms_norm:
 * x / √(mean(x²) + epsilon) · weight. The norm of Llama, Qwen, T5 and, with `unitOffset`, Gemma.
 *
 * @param x f32 [..., features]
 * @param weight f32 [features]
 * @returns f32 [..., features]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function rmsNorm(x: TensorLike, weight: TensorLike, epsilon: number, { unitOffset = false }: RmsNormOptions = {}): Tensor {
  return emit(rmsNormOp, [x, weight], { epsilon, weightOffset: Number(unitOffset), bias: false, residual: false })[0]!;
}

/**
 * rmsNorm(x + residual) in one kernel, with the sum beside it, for the next residual connection.
 *
 * @param x f32 [..., features]
 * @param residual f32 of x's shape, or of its last axes
 * @returns the norm and the sum, both of x's shape
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function addRmsNorm(x: TensorLike, residual: TensorLike, weight: TensorLike, epsilon: number, { unitOffset = false }: RmsNormOptions = {}): NormOfSum {
  return normOfSum(rmsNormOp, x, residual, [weight], { epsilon, weightOffset: Number(unitOffset) });
}
