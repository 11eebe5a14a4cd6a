import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { dropThreshold, randomBits } from "../dropout/random.ts";
import type { AttentionAttributes } from "./op.ts";

interface Row {
  readonly b: number;
  readonly i: number;
  readonly h: number;
  /** Offset of element 0 of q's row, and the probabilities of the keys: before dropout, and what dropout multiplies them with. */
  readonly at: number;
  readonly probabilities: Float64Array;
  readonly keep: Float64Array;
  readonly logSumExp: number;
  /** Offset of element 0 of key j's row in k and v, and index of the pair in the bias. */
  keyAt(j: number): number;
  biasAt(j: number): number;
}

/** The softmax row of every query of every head. */
function* rows(q: NdArray, k: NdArray, keys: NdArray, bias: NdArray | undefined, { scale, causal, dropout }: AttentionAttributes): Generator<Row> {
  const [batch, queries, heads, headDim] = q.shape as [number, number, number, number];
  const [, length, keyHeads] = k.shape as [number, number, number];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const keyHead = Math.floor(h / (heads / keyHeads));
      for (let i = 0; i < queries; i++) {
        const at = ((b * queries + i) * heads + h) * headDim;
        const keyAt = (j: number) => ((b * length + j) * keyHeads + keyHead) * headDim;
        const biasAt = (j: number) => (((bias!.shape[0] === 1 ? 0 : b) * bias!.shape[1]! + (bias!.shape[1] === 1 ? 0 : h)) * queries + i) * length + j;
        const scores = Array.from({ length }, (_, j) => {
          const attended = keys.data[1 + b * (length + 2) + 2 + j] === 1 && (!causal || j <= i + length - queries);
          if (!attended) return null;
          let dot = 0;
          for (let d = 0; d < headDim; d++) dot += q.data[at + d]! * k.data[keyAt(j) + d]!;
          return dot * scale + (bias ? bias.data[biasAt(j)]! : 0);
        });
        const largest = scores.reduce<number>((most, score) => Math.max(most, score ?? -Infinity), -Infinity);
        const exponentials = Float64Array.from(scores, (score) => (score === null ? 0 : Math.exp(score - largest)));
        const total = exponentials.reduce((a, c) => a + c, 0);
        const keep = Float64Array.from(scores, (_, j) => {
          if (!dropout) return 1;
          const counter = (((b * heads + h) * queries + i) * length + j) >>> 0;
          return randomBits(counter, keys.data[0]!, dropout.stream) >= dropThreshold(dropout.probability) ? 1 / (1 - dropout.probability) : 0;
        });
        yield { b, i, h, at, keyAt, biasAt, keep, probabilities: exponentials.map((e) => (total > 0 ? e / total : 0)), logSumExp: total > 0 ? largest + Math.log(total) : 0 };
      }
    }
  }
}

export function referenceAttention([q, k, v, keys, bias]: readonly NdArray[], attributes: AttentionAttributes, context: ReferenceContext): NdArray[] {
  const [batch, queries, heads, headDim] = q!.shape as [number, number, number, number];
  const y = context.zeros("f32", q!.shape);
  const logSumExp = context.zeros("f32", [batch, heads, queries]);
  for (const row of rows(q!, k!, keys!, bias, attributes)) {
    logSumExp.data[(row.b * heads + row.h) * queries + row.i] = row.logSumExp;
    for (let d = 0; d < headDim; d++) {
      let total = 0;
      row.probabilities.forEach((p, j) => (total += p * row.keep[j]! * v!.data[row.keyAt(j) + d]!));
      y.data[row.at + d] = total;
    }
  }
  return [y, logSumExp];
}

export function referenceAttentionGradient([q, k, v, keys, , , dy, bias]: readonly NdArray[], attributes: AttentionAttributes, context: ReferenceContext): NdArray[] {
  const headDim = q!.shape[3]!;
  const [dq, dk, dv] = [context.zeros("f32", q!.shape), context.zeros("f32", k!.shape), context.zeros("f32", v!.shape)];
  const dBias = bias && context.zeros("f32", bias.shape);
  for (const { at, keyAt, biasAt, probabilities, keep } of rows(q!, k!, keys!, bias, attributes)) {
    const dp = probabilities.map((_, j) => {
      let dot = 0;
      for (let d = 0; d < headDim; d++) dot += dy!.data[at + d]! * v!.data[keyAt(j) + d]!;
      return dot * keep[j]!;
    });
    const delta = probabilities.reduce((total, p, j) => total + p * dp[j]!, 0);
    probabilities.forEach((p, j) => {
      const ds = p * (dp[j]! - delta);
      if (dBias) dBias.data[biasAt(j)]! += ds;
      for (let d = 0; d < headDim; d++) {
        dq.data[at + d]! += ds * attributes.scale * k!.data[keyAt(j) + d]!;
        dk.data[keyAt(j) + d]! += ds * attributes.scale * q!.data[at + d]!;
        dv.data[keyAt(j) + d]! += p * keep[j]! * dy!.data[at + d]!;
      }
    });
  }
  return [dq, dk, dv, ...(dBias ? [dBias] : [])];
}
