import { HeddleError } from "../../errors.ts";
import type { Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emit, nextRandomStream, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape, type Shape } from "../../program/types.ts";
import { joinedAttentionOp, joinedSource } from "./joined.ts";
import { attentionKeys } from "./keys.ts";
import { onnxAttention, onnxAttentionGradient } from "./op.onnx.ts";
import { referenceAttention, referenceAttentionGradient } from "./op.reference.ts";
import { lowerAttention, lowerAttentionGradient } from "./op.wgsl.ts";

export interface AttentionAttributes {
  scale: number;
  causal: boolean;
  /** True: the last input of the forward op is a bias. */
  bias: boolean;
  dropout: { probability: number; stream: number } | null;
}

/** Inputs q, k, v, keys (see keys.ts), bias?; outputs y and the log-sum-exp of each row of scores [B, H, Tq], 0 for a row without keys. */
const attentionOp: Op<AttentionAttributes> = {
  name: "attention",
  infer([q]) {
    const [batch, queries, heads] = q!.shape as [number, number, number, number];
    return [q!, { dtype: "f32", shape: [batch, heads, queries] }];
  },
  vjp({ inputs, outputs: [y, logSumExp], gradients: [g, gradientOfLogSumExp], attributes }) {
    if (gradientOfLogSumExp) throw new HeddleError("NOT_DIFFERENTIABLE", "[attention] the log-sum-exp is for the gradient alone");
    const [q, k, v, keys, bias] = inputs;
    const [dq, dk, dv, dBias] = emit(attentionGradientOp, [q!, k!, v!, keys!, y!, logSumExp!, g!, ...(bias ? [bias] : [])], attributes);
    return [dq!, dk!, dv!, null, ...(bias ? [dBias!] : [])];
  },
  reference: referenceAttention,
  lower: lowerAttention,
  onnx: onnxAttention,
};

/** Inputs q, k, v, keys, y, log-sum-exp, dy, bias?; outputs dq, dk, dv, dbias?. */
const attentionGradientOp: Op<AttentionAttributes> = {
  name: "attentionGradient",
  infer: ([q, k, v, , , , , bias]) => [q!, k!, v!, ...(bias ? [bias] : [])],
  reference: referenceAttentionGradient,
  lower: lowerAttentionGradient,
  onnx: onnxAttentionGradient,
};

export interface AttentionOptions {
  /** f32, i32 or u32 [B, Tk]: 0 for padding, anything else is attended to. */
  mask?: TensorLike;
  /** f32 [1 or B, 1 or H, Tq, Tk], added to the scaled scores; differentiable. */
  bias?: TensorLike;
  /** Query i attends to keys up to i + Tk − Tq. */
  causal?: boolean;
  /** 1/√D by default. */
  scale?: number;
  /** On the attention probabilities; `key` is a u32 scalar [], another one each step. */
  dropout?: { probability: number; key: TensorLike };
}

const MAX_HEAD_DIM = 256;

/**
 * softmax(scale · q·kᵀ + bias)·v for each head, without a tensor of all scores (Dao et al. 2022, "FlashAttention",
 * algorithm 1; the backward pass recomputes the scores from the log-sum-exp). Fewer heads of k and v than of q serve groups of
 * neighbouring query heads. A query without any key to attend to gives zeros, and zero gradients.
 *
 * @param q f32 [B, Tq, H, D]; D at most 256
 * @param k f32 [B, Tk, Hkv, D]; Hkv divides H
 * @param v f32 [B, Tk, Hkv, D]
 * @returns f32 [B, Tq, H, D]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function attention(q: TensorLike, k: TensorLike, v: TensorLike, { mask, bias, causal = false, scale, dropout }: AttentionOptions = {}): Tensor {
  const tensors = [q, k, v].map(asTensor) as [Tensor, Tensor, Tensor];
  checkOperands(tensors);
  const [batch, queries, heads, headDim] = tensors[0].shape as [number, number, number, number];
  const keys = tensors[1].shape[1]!;
  const maskTensor = mask === undefined ? undefined : asTensor(mask);
  if (maskTensor && !sameShape(maskTensor.shape, [batch, keys])) {
    throw new HeddleError("SHAPE_MISMATCH", `[attention] the mask must be [batch, keys] = ${formatShape([batch, keys])}, got ${formatShape(maskTensor.shape)}; a mask over pairs goes into bias as 0 and -1e9`);
  }
  const biasTensor = bias === undefined ? undefined : asTensor(bias);
  if (biasTensor) checkBias(biasTensor, [batch, heads, queries, keys]);
  const drops = dropout !== undefined && dropout.probability !== 0 ? dropout : undefined;
  const keyTensor = drops && asTensor(drops.key);
  if (drops && !(drops.probability > 0 && drops.probability < 1)) throw new HeddleError("INVALID_ARGUMENT", `[attention] the probability of dropping must be in [0, 1), got ${drops.probability}; 0.1 is usual`);
  if (keyTensor && (keyTensor.dtype !== "u32" || keyTensor.rank !== 0)) {
    throw new HeddleError("DTYPE_MISMATCH", `[attention] the dropout key must be a u32 scalar of shape [], got ${keyTensor.dtype} ${formatShape(keyTensor.shape)}; make one input of the program from the seed and the step`);
  }
  const others = [attentionKeys(batch, keys, maskTensor, keyTensor), ...(biasTensor ? [biasTensor] : [])];
  const attributes: AttentionAttributes = {
    scale: scale ?? 1 / Math.sqrt(headDim),
    causal,
    bias: biasTensor !== undefined,
    dropout: drops ? { probability: drops.probability, stream: nextRandomStream() } : null,
  };
  // Slices of one projection are read where they are: no copies, and one gradient.
  const joined = joinedSource(tensors);
  if (joined) return emit(joinedAttentionOp, [joined, ...others], { ...attributes, heads, keyHeads: tensors[1].shape[2]!, headDim })[0]!;
  return emit(attentionOp, [...tensors, ...others], attributes)[0]!;
}

function checkOperands([q, k, v]: [Tensor, Tensor, Tensor]): void {
  const spelled = `q ${formatShape(q.shape)}, k ${formatShape(k.shape)}, v ${formatShape(v.shape)}`;
  if ([q, k, v].some((tensor) => tensor.dtype !== "f32")) throw new HeddleError("DTYPE_MISMATCH", `[attention] wants f32 q, k and v, got ${q.dtype}, ${k.dtype} and ${v.dtype}; convert with cast()`);
  if ([q, k, v].some((tensor) => tensor.rank !== 4)) throw new HeddleError("SHAPE_MISMATCH", `[attention] ${spelled}: each must be [batch, length, heads, headDim]; split the heads with reshape()`);
  if (!sameShape(k.shape, v.shape)) throw new HeddleError("SHAPE_MISMATCH", `[attention] ${spelled}: k and v must have one shape`);
  if (q.shape[0] !== k.shape[0] || q.shape[3] !== k.shape[3]) throw new HeddleError("SHAPE_MISMATCH", `[attention] ${spelled}: batch and headDim of q and k differ`);
  if (k.shape[2] === 0 || q.shape[2]! % k.shape[2]! !== 0) throw new HeddleError("SHAPE_MISMATCH", `[attention] ${spelled}: ${q.shape[2]} query heads cannot be shared out among ${k.shape[2]} key heads; the one must divide the other`);
  if (q.shape[3]! < 1 || q.shape[3]! > MAX_HEAD_DIM) throw new HeddleError("INVALID_ARGUMENT", `[attention] headDim ${q.shape[3]} is outside 1 to ${MAX_HEAD_DIM}; use more heads`);
}

function checkBias(bias: Tensor, full: Shape): void {
  const fits = bias.dtype === "f32" && bias.rank === 4 && full.every((extent, axis) => bias.shape[axis] === extent || (axis < 2 && bias.shape[axis] === 1));
  if (!fits) throw new HeddleError("SHAPE_MISMATCH", `[attention] the bias must be f32 [1 or ${full[0]}, 1 or ${full[1]}, ${full[2]}, ${full[3]}], got ${bias.dtype} ${formatShape(bias.shape)}`);
}
