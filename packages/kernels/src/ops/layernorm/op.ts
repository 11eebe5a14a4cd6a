import type { Tensor } from "../../program/tensor.ts";
import { emit, type TensorLike } from "../../program/trace.ts";
import { defineNorm, normOfSum, type NormOfSum } from "../norm/define.ts";

export const layerNormOp = defineNorm("layerNorm", true);

/**
 * Layer normalisation over the last axis (Ba, Kiros & Hinton 2016, equation 4), as torch.nn.functional.layer_norm:
 * (x − mean) / √(variance + epsilon) · weight + bias, with the biased variance about the mean, never E[x²] − E[x]².
 *
 * @param x f32 [..., features]
 * @param weight f32 [features]
 * @param bias f32 [features]; null for a norm without one
 * @returns f32 [..., features]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function layerNorm(x: TensorLike, weight: TensorLike, bias: TensorLike | null, epsilon: number): Tensor {
  return emit(layerNormOp, [x, weight, ...(bias === null ? [] : [bias])], { epsilon, weightOffset: 0, bias: bias !== null, residual: false })[0]!;
}

/**
 * layerNorm(x + residual) in one kernel, with the sum beside it: what a post-norm model makes of a sublayer's output, and a pre-norm
 * one of two sublayers in a row.
 *
 * @param x f32 [..., features]
 * @param residual f32 of x's shape, or of its last axes: position embeddings [length, features] beside x [batch, length, features]
 * @returns the norm and the sum, both of x's shape
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function addLayerNorm(x: TensorLike, residual: TensorLike, weight: TensorLike, bias: TensorLike | null, epsilon: number): NormOfSum {
  return normOfSum(layerNormOp, x, residual, [weight, ...(bias === null ? [] : [bias])], { epsilon, weightOffset: 0 });
}
