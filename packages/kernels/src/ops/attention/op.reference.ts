import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { dropoutRule, randomBits } from "../dropout/random.ts";
import { INFO_WORDS } from "./keys.ts";
import type { AttentionAttributes } from "./op.ts";
import { rotateRow } from "../rotary/op.reference.ts";
import { operandsOf, type Part } from "./operands.ts";

interface Problem {
  readonly batch: number;
  readonly queries: number;
  readonly length: number;
  readonly q: NdArray;
  readonly k: NdArray;
  readonly v: NdArray;
  readonly keys: NdArray | undefined;
  readonly bias: NdArray | undefined;
  readonly table: NdArray | undefined;
}

interface Row {
  readonly b: number;
  readonly i: number;
  readonly h: number;
  /** Offset of element 0 of the query's row in q, and in y. */
  readonly at: number;
  readonly atY: number;
  /** The probabilities of the keys before dropout, and what dropout multiplies them with. */
  readonly probabilities: Float64Array;
  readonly keep: Float64Array;
  /** The derivative of each score's soft cap. */
  readonly slopes: Float64Array;
  readonly logSumExp: number;
  /** Offset of element 0 of key j's row in k, and in v, and index of the pair in the bias. */
  keyAt(j: number): number;
  valueAt(j: number): number;
  biasAt(j: number): number;
}

function problemOf(inputs: readonly NdArray[], attributes: AttentionAttributes): Problem {
  const { q, k, v, rest } = operandsOf(attributes, inputs);
  const [batch, queries] = q.shape as [number, number];
  const problem = { batch, queries, length: k.shape[1]!, q, k, v, keys: attributes.keys ? rest[0] : undefined, bias: attributes.bias ? rest.at(-1) : undefined, table: attributes.rotary ? rest.at(-1) : undefined };
  if (!problem.table) return problem;
  const turned = { q: { ...q, data: q.data.slice() }, k: { ...k, data: k.data.slice() } };
  turn(problem, turned, attributes, 1);
  return { ...problem, ...turned };
}

/** Rotary embedding of rows in place, or back. */
function turn({ batch, queries, length, keys, table }: Problem, { q, k }: { q: NdArray; k: NdArray }, { parts, heads, keyHeads, rotary }: AttentionAttributes, sign: 1 | -1): void {
  for (let b = 0; b < batch; b++) {
    const { count } = keysOf(keys, b, length);
    for (let i = 0; i < queries; i++) {
      for (let h = 0; h < heads; h++) rotateRow(q.data, placeIn(parts.q, queries, b, i, h), table!, count - queries + i, rotary!.interleaved, sign);
    }
    for (let j = 0; rotary!.keys && j < length; j++) {
      for (let h = 0; h < keyHeads; h++) rotateRow(k.data, placeIn(parts.k, length, b, j, h), table!, j, rotary!.interleaved, sign);
    }
  }
}

const placeIn = ({ offset, row, step }: Part, length: number, b: number, i: number, head: number) => offset + (b * length + i) * row + head * step;

/** What keys.ts says of one batch: how many keys count, and which are no padding. */
function keysOf(keys: NdArray | undefined, b: number, length: number): { count: number; isKey: (j: number) => boolean } {
  if (!keys) return { count: length, isKey: () => true };
  const row = 1 + b * (INFO_WORDS + Math.ceil(length / 32));
  return { count: keys.data[row + 2]!, isKey: (j) => ((keys.data[row + INFO_WORDS + (j >> 5)]! >>> (j & 31)) & 1) === 1 };
}

/** The softmax row of every query of every head. */
function* rows({ batch, queries, length, q, k, keys, bias }: Problem, { heads, keyHeads, headDim, parts, scale, reach, softCap, dropout }: AttentionAttributes): Generator<Row> {
  for (let b = 0; b < batch; b++) {
    const { count, isKey } = keysOf(keys, b, length);
    for (let h = 0; h < heads; h++) {
      const keyHead = Math.floor(h / (heads / keyHeads));
      const keyAt = (j: number) => placeIn(parts.k, length, b, j, keyHead);
      const valueAt = (j: number) => placeIn(parts.v, length, b, j, keyHead);
      for (let i = 0; i < queries; i++) {
        const at = placeIn(parts.q, queries, b, i, h);
        const atY = ((b * queries + i) * heads + h) * headDim;
        const biasAt = (j: number) => (((bias!.shape[0] === 1 ? 0 : b) * bias!.shape[1]! + (bias!.shape[1] === 1 ? 0 : h)) * queries + i) * length + j;
        const slopes = new Float64Array(length).fill(1);
        const scores = Array.from({ length }, (_, j) => {
          const distance = j - (i + count - queries);
          const attended = isKey(j) && distance >= -(reach.before ?? Infinity) && distance <= (reach.after ?? Infinity);
          if (!attended) return null;
          let score = 0;
          for (let d = 0; d < headDim; d++) score += q.data[at + d]! * k.data[keyAt(j) + d]!;
          score *= scale;
          if (softCap !== null) {
            const tanh = Math.tanh(score / softCap);
            score = softCap * tanh;
            slopes[j] = 1 - tanh * tanh;
          }
          return score + (bias ? bias.data[biasAt(j)]! : 0);
        });
        const largest = scores.reduce<number>((most, score) => Math.max(most, score ?? -Infinity), -Infinity);
        const exponentials = Float64Array.from(scores, (score) => (score === null ? 0 : Math.exp(score - largest)));
        const total = exponentials.reduce((a, c) => a + c, 0);
        const rule = dropout && dropoutRule(dropout.probability);
        const keep = Float64Array.from(scores, (_, j) => {
          if (!rule) return 1;
          const counter = (((b * heads + h) * queries + i) * length + j) >>> 0;
          return randomBits(counter, keys!.data[0]!, dropout.stream) >= rule.dropBelow ? rule.keepScale : 0;
        });
        yield { b, i, h, at, atY, keyAt, valueAt, biasAt, keep, slopes, probabilities: exponentials.map((e) => (total > 0 ? e / total : 0)), logSumExp: total > 0 ? largest + Math.log(total) : 0 };
      }
    }
  }
}

export function referenceAttention(inputs: readonly NdArray[], attributes: AttentionAttributes, context: ReferenceContext): NdArray[] {
  const { heads, headDim } = attributes;
  const problem = problemOf(inputs, attributes);
  const { batch, queries, v } = problem;
  const y = context.zeros("f32", [batch, queries, heads, headDim]);
  const logSumExp = context.zeros("f32", [batch, heads, queries]);
  for (const row of rows(problem, attributes)) {
    logSumExp.data[(row.b * heads + row.h) * queries + row.i] = row.logSumExp;
    for (let d = 0; d < headDim; d++) {
      let total = 0;
      row.probabilities.forEach((p, j) => (total += p * row.keep[j]! * v.data[row.valueAt(j) + d]!));
      y.data[row.atY + d] = total;
    }
  }
  return [y, logSumExp];
}

export function referenceAttentionGradient([, , dy, ...inputs]: readonly NdArray[], attributes: AttentionAttributes, context: ReferenceContext): NdArray[] {
  const { headDim, scale } = attributes;
  const problem = problemOf(inputs, attributes);
  const { q, k, v, bias } = problem;
  const gradients = inputs.slice(0, inputs.length - operandsOf(attributes, inputs).rest.length).map(({ shape }) => context.zeros("f32", shape));
  const { q: dq, k: dk, v: dv } = operandsOf(attributes, gradients);
  const dBias = bias && context.zeros("f32", bias.shape);
  for (const { at, atY, keyAt, valueAt, biasAt, probabilities, keep, slopes } of rows(problem, attributes)) {
    const dp = probabilities.map((_, j) => {
      let dot = 0;
      for (let d = 0; d < headDim; d++) dot += dy!.data[atY + d]! * v.data[valueAt(j) + d]!;
      return dot * keep[j]!;
    });
    const delta = probabilities.reduce((total, p, j) => total + p * dp[j]!, 0);
    probabilities.forEach((p, j) => {
      const ds = p * (dp[j]! - delta);
      if (dBias) dBias.data[biasAt(j)]! += ds;
      for (let d = 0; d < headDim; d++) {
        dq.data[at + d]! += ds * slopes[j]! * scale * k.data[keyAt(j) + d]!;
        dk.data[keyAt(j) + d]! += ds * slopes[j]! * scale * q.data[at + d]!;
        dv.data[valueAt(j) + d]! += p * keep[j]! * dy!.data[atY + d]!;
      }
    });
  }
  if (problem.table) turn(problem, { q: dq, k: dk }, attributes, -1);
  return [...gradients, ...(dBias ? [dBias] : [])];
}
