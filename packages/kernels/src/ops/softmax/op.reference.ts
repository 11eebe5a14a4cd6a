import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import type { SoftmaxAttributes } from "./op.ts";

export function referenceSoftmax([x]: readonly NdArray[], { log }: SoftmaxAttributes, context: ReferenceContext): NdArray[] {
  const classes = x!.shape.at(-1)!;
  const y = context.zeros("f32", x!.shape);
  for (let begin = 0; begin < x!.data.length; begin += classes) {
    const scores = x!.data.subarray(begin, begin + classes);
    let largest = -Infinity;
    for (const score of scores) largest = Math.max(largest, score);
    let sum = 0;
    for (const score of scores) sum += Math.exp(score - largest);
    scores.forEach((score, c) => (y.data[begin + c] = log ? score - largest - Math.log(sum) : Math.exp(score - largest) / sum));
  }
  return [y];
}

export function referenceSoftmaxGradient([y, dy]: readonly NdArray[], { log }: SoftmaxAttributes, context: ReferenceContext): NdArray[] {
  const classes = y!.shape.at(-1)!;
  const dx = context.zeros("f32", y!.shape);
  for (let begin = 0; begin < y!.data.length; begin += classes) {
    let sum = 0;
    for (let i = begin; i < begin + classes; i++) sum += dy!.data[i]! * (log ? 1 : y!.data[i]!);
    for (let i = begin; i < begin + classes; i++) dx.data[i] = log ? dy!.data[i]! - Math.exp(y!.data[i]!) * sum : y!.data[i]! * (dy!.data[i]! - sum);
  }
  return [dx];
}
