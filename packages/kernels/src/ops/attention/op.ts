import { HeddleError } from "../../errors.ts";
import type { Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emit, nextRandomStream, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape, type Shape, type TensorType } from "../../program/types.ts";
import { less, where } from "../elementwise/arithmetic.ts";
import { cast } from "../elementwise/unary.ts";
import { asLengths } from "../kvcache/lengths.ts";
import { rotaryEmbedding, type RotaryOptions } from "../rotary/op.ts";
import { rotatesChunks } from "../rotary/rotate.wgsl.ts";
import { checkRotaryTable } from "../rotary/table.ts";
import { attentionDesigns, attentionGradientDesigns, GRADIENT_ROWS, ROWS, type AttentionDesign, type AttentionGradientDesign } from "./choose.ts";
import { attentionKeys } from "./keys.ts";
import { onnxAttention, onnxAttentionGradient } from "./op.onnx.ts";
import { referenceAttention, referenceAttentionGradient } from "./op.reference.ts";
import { lowerAttention, lowerAttentionGradient } from "./op.wgsl.ts";
import { findOperands, operandsOf, type Operands } from "./operands.ts";
import { isAligned } from "./variant.wgsl.ts";

export interface AttentionAttributes extends Operands {
  scale: number;
  /** Query i sees keys from i + length − Tq − before to i + length − Tq + after, where length is Tk or what `keys` says; null for no limit. */
  reach: { readonly before: number | null; readonly after: number | null };
  softCap: number | null;
  /** Which inputs there are after q, k and v, in this order: keys (see keys.ts), the rotary table, bias. */
  keys: boolean;
  /** Queries are turned by their positions first, and keys too, unless they are already. Not with a bias. */
  rotary: { dims: number; interleaved: boolean; keys: boolean } | null;
  bias: boolean;
  dropout: { probability: number; stream: number } | null;
}

/** Inputs q, k, v (see operands.ts), keys?, table?, bias?; outputs y and the log-sum-exp of each row of scores [B, H, Tq], 0 for a row without keys. */
const attentionOp: Op<AttentionAttributes, AttentionDesign> = {
  name: "attention",
  infer(inputs, { heads, headDim, ...attributes }) {
    const [batch, queries] = operandsOf(attributes, inputs).q.shape as [number, number];
    return [
      { dtype: "f32", shape: [batch, queries, heads, headDim] },
      { dtype: "f32", shape: [batch, heads, queries] },
    ];
  },
  vjp({ inputs, outputs: [y, logSumExp], gradients: [g, gradientOfLogSumExp], attributes }) {
    if (gradientOfLogSumExp) throw new HeddleError("NOT_DIFFERENTIABLE", "[attention] the log-sum-exp is for the gradient alone");
    const { rest } = operandsOf(attributes, inputs);
    const gradients: (Tensor | null)[] = emit(attentionGradientOp, [y!, logSumExp!, g!, ...inputs], attributes);
    const ofBias = attributes.bias ? [gradients.pop()!] : [];
    return [...gradients, ...rest.slice(ofBias.length).map(() => null), ...ofBias];
  },
  reference: referenceAttention,
  lower: lowerAttention,
  tunable: {
    bucket: attentionBucket,
    designs: (adapter, inputs, attributes) => attentionDesigns(adapter, attributes, heldRows(inputs, attributes).queries),
    naive: ROWS,
  },
  onnx: onnxAttention,
};

/** Inputs y, log-sum-exp, dy and those of attention; outputs the gradients of q, k and v as they came, dbias?. */
const attentionGradientOp: Op<AttentionAttributes, AttentionGradientDesign> = {
  name: "attentionGradient",
  infer([, , , ...inputs], attributes) {
    const { rest } = operandsOf(attributes, inputs);
    return [...inputs.slice(0, inputs.length - rest.length), ...(attributes.bias ? [rest.at(-1)!] : [])];
  },
  reference: referenceAttentionGradient,
  lower: lowerAttentionGradient,
  tunable: {
    bucket: ([, , , ...inputs], attributes) => attentionBucket(inputs, attributes),
    designs(adapter, [, , , ...inputs], attributes) {
      const { queries, keys } = heldRows(inputs, attributes);
      return attentionGradientDesigns(adapter, attributes, queries, keys);
    },
    naive: GRADIENT_ROWS,
  },
  onnx: onnxAttentionGradient,
};

/** Rows that the passes hold, by what they hold. */
function heldRows(inputs: readonly TensorType[], attributes: AttentionAttributes) {
  const { q, k } = operandsOf(attributes, inputs);
  const [batch, queries] = q.shape as [number, number];
  return { queries: { count: queries, parts: batch * attributes.heads }, keys: { count: k.shape[1]!, parts: batch * attributes.keyHeads } };
}

/** Lengths and heads to a power of two, and what changes the kernels' text. */
function attentionBucket(inputs: readonly TensorType[], attributes: AttentionAttributes): string {
  const { queries, keys } = heldRows(inputs, attributes);
  const upTo = (extent: number) => 2 ** Math.ceil(Math.log2(Math.max(1, extent)));
  const { headDim, joined, reach, softCap, keys: padded, bias, dropout, rotary } = attributes;
  const flags = { causal: reach.after === 0, window: reach.before !== null, softCap: softCap !== null, padded, bias, dropout: dropout !== null, rotary: rotary !== null };
  return [`q${upTo(queries.count)} k${upTo(keys.count)} d${headDim} b${upTo(queries.parts)}/${upTo(keys.parts)}`, ...(joined === "none" ? [] : [joined]), ...Object.entries(flags).flatMap(([name, on]) => (on ? [name] : []))].join(" ");
}

export interface AttentionOptions {
  /** f32, i32 or u32 [B, Tk]: 0 for padding, anything else is attended to. */
  mask?: TensorLike;
  /**
   * i32 or u32 [B]: only the first lengths[b] keys are there, and the last query stands at the last of them; what the others hold
   * does not matter, and costs nothing. For a cache of keys: see extendCache. More than Tk is Tk.
   */
  lengths?: TensorLike;
  /** f32 [1 or B, 1 or H, Tq, Tk], added to the scaled scores; differentiable. */
  bias?: TensorLike;
  /** Query i attends to keys up to i + Tk − Tq, or i + lengths[b] − Tq. */
  causal?: boolean;
  /**
   * Keys near by only, and the others cost nothing. Causal: the query's own place and `window` − 1 before it, as transformers'
   * `sliding_window` in Mistral and Gemma. Otherwise those at most ⌊window / 2⌋ away, as its `local_attention` in ModernBERT.
   */
  window?: number;
  /**
   * Rotary position embedding of q and k as they are loaded: key j stands at position j, query i at i + Tk − Tq, or
   * i + lengths[b] − Tq. `table` comes from `rotaryTable`; `keys: false` for keys that are turned already, as in a cache.
   * Costs dispatches of its own beside a bias, where headDim is no multiple of 4, or the table's dims none of 8 (4 if interleaved).
   */
  rotary?: RotaryOptions & { table: TensorLike; keys?: boolean };
  /** Scores become softCap · tanh(score / softCap), before bias and masks: transformers' `attn_logit_softcapping` in Gemma 2. */
  softCap?: number;
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
 * Slices that together are all of one tensor, as of one product that gives queries, keys and values, are read where they lie.
 *
 * @param q f32 [B, Tq, H, D]; D at most 256
 * @param k f32 [B, Tk, Hkv, D]; Hkv divides H
 * @param v f32 [B, Tk, Hkv, D]
 * @returns f32 [B, Tq, H, D]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function attention(q: TensorLike, k: TensorLike, v: TensorLike, { mask, lengths, bias, causal = false, window, rotary, softCap, scale, dropout }: AttentionOptions = {}): Tensor {
  const given = [q, k, v].map(asTensor) as [Tensor, Tensor, Tensor];
  checkOperands(given);
  const [batch, queries, heads, headDim] = given[0].shape as [number, number, number, number];
  const keys = given[1].shape[1]!;
  const maskTensor = mask === undefined ? undefined : asTensor(mask);
  if (maskTensor && !sameShape(maskTensor.shape, [batch, keys])) {
    throw new HeddleError("SHAPE_MISMATCH", `[attention] the mask must be [batch, keys] = ${formatShape([batch, keys])}, got ${formatShape(maskTensor.shape)}; a mask over pairs goes into bias as 0 and -1e9`);
  }
  const lengthsTensor = lengths === undefined ? undefined : asLengths(lengths, batch, "attention");
  const biasTensor = bias === undefined ? undefined : asTensor(bias);
  if (biasTensor) checkBias(biasTensor, [batch, heads, queries, keys]);
  if (window !== undefined && !(Number.isInteger(window) && window >= 1)) throw new HeddleError("INVALID_ARGUMENT", `[attention] the window must be a whole number of keys, at least 1, got ${window}; leave it out to attend to all`);
  if (softCap !== undefined && !(softCap > 0 && Number.isFinite(softCap))) throw new HeddleError("INVALID_ARGUMENT", `[attention] softCap must be positive, got ${softCap}; 50 is usual, and leaving it out caps nothing`);
  const drops = dropout !== undefined && dropout.probability !== 0 ? dropout : undefined;
  const keyTensor = drops && asTensor(drops.key);
  if (drops && !(drops.probability > 0 && drops.probability < 1)) throw new HeddleError("INVALID_ARGUMENT", `[attention] the probability of dropping must be in [0, 1), got ${drops.probability}; 0.1 is usual`);
  if (keyTensor && (keyTensor.dtype !== "u32" || keyTensor.rank !== 0)) {
    throw new HeddleError("DTYPE_MISMATCH", `[attention] the dropout key must be a u32 scalar of shape [], got ${keyTensor.dtype} ${formatShape(keyTensor.shape)}; make one input of the program from the seed and the step`);
  }
  const table = rotary && asTensor(rotary.table);
  if (table) checkRotaryTable("attention", table, headDim, keys);
  const turned = rotary && { dims: table!.shape[1]!, interleaved: rotary.interleaved ?? false, keys: rotary.keys ?? true };
  const found = findOperands(...given);
  const turnsOnLoad = turned && !biasTensor && rotatesChunks(turned) && isAligned(headDim, found.operands.parts);
  const { tensors, operands } = !turned || turnsOnLoad ? found : findOperands(...turn(given, table!, turned, lengthsTensor));
  const control = maskTensor || keyTensor || lengthsTensor ? [attentionKeys(batch, keys, { mask: maskTensor, dropoutKey: keyTensor, lengths: lengthsTensor })] : [];
  return emit(attentionOp, [...tensors, ...control, ...(turnsOnLoad ? [table!] : []), ...(biasTensor ? [biasTensor] : [])], {
    ...operands,
    scale: scale ?? 1 / Math.sqrt(headDim),
    reach: reachOf(causal, window),
    softCap: softCap ?? null,
    keys: control.length > 0,
    rotary: turnsOnLoad ? turned : null,
    bias: biasTensor !== undefined,
    dropout: drops ? { probability: drops.probability, stream: nextRandomStream() } : null,
  })[0]!;
}

/** Rotary embedding by ops of its own, where attention's kernels cannot do it. */
function turn([q, k, v]: [Tensor, Tensor, Tensor], table: Tensor, { interleaved, keys }: { interleaved: boolean; keys: boolean }, lengths: Tensor | undefined): [Tensor, Tensor, Tensor] {
  const length = k.shape[1]!;
  const place = lengths ? { lengths: atMost(lengths, length) } : { begin: length - q.shape[1]! };
  return [rotaryEmbedding(q, table, { interleaved, ...place }), keys ? rotaryEmbedding(k, table, { interleaved }) : k, v];
}

/** Lengths past the last key are there, as in keys.ts. */
function atMost(lengths: Tensor, length: number): Tensor {
  const counts = cast(lengths, "f32");
  return cast(where(less(counts, length), counts, length), "i32");
}

function reachOf(causal: boolean, window: number | undefined): AttentionAttributes["reach"] {
  if (causal) return { before: window === undefined ? null : window - 1, after: 0 };
  const side = window === undefined ? null : Math.floor(window / 2);
  return { before: side, after: side };
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
