import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import type { CrossEntropyAttributes } from "./op.ts";

/** The distribution that a row's logits are compared with; all zeros for an ignored row. Not normalised under weights. */
function targetsOf(label: number, classes: number, weight: NdArray | undefined, { ignoreIndex, labelSmoothing }: CrossEntropyAttributes): number[] {
  const weightOf = (c: number) => (weight ? weight.data[c]! : 1);
  if (label === ignoreIndex) return new Array<number>(classes).fill(0);
  const target = Math.min(Math.max(label, 0), classes - 1);
  return Array.from({ length: classes }, (_, c) => weightOf(c) * ((labelSmoothing / classes) + (c === target ? 1 - labelSmoothing : 0)));
}

export function referenceCrossEntropy([logits, labels, weight]: readonly NdArray[], attributes: CrossEntropyAttributes, context: ReferenceContext): NdArray[] {
  const classes = logits!.shape.at(-1)!;
  const [losses, statistics] = [context.zeros("f32", labels!.shape), context.zeros("f32", [...labels!.shape, 4])];
  let weights = 0;
  labels!.data.forEach((label, row) => {
    const scores = logits!.data.subarray(row * classes, (row + 1) * classes);
    const targets = targetsOf(label, classes, weight, attributes);
    let largest = -Infinity;
    for (const score of scores) largest = Math.max(largest, score);
    let sum = 0;
    for (const score of scores) sum += Math.exp(score - largest);
    let loss = 0;
    targets.forEach((target, c) => (loss += target * (largest - scores[c]! + Math.log(sum))));
    losses.data[row] = loss;
    if (label !== attributes.ignoreIndex) weights += weight ? weight.data[Math.min(Math.max(label, 0), classes - 1)]! : 1;
    statistics.data.set([largest, Math.log(sum), targets.reduce((a, b) => a + b, 0)], 4 * row);
  });
  if (attributes.reduction === "none") return [losses, statistics];
  const [total, factor] = [context.zeros("f32", []), context.zeros("f32", [])];
  for (const loss of losses.data) total.data[0]! += loss;
  if (attributes.reduction === "sum") return [total, statistics];
  factor.data[0] = weights === 0 ? 1 : 1 / weights;
  total.data[0]! *= factor.data[0];
  return [total, statistics, factor];
}

export function referenceCrossEntropyGradient([logits, labels, statistics, g, ...rest]: readonly NdArray[], attributes: CrossEntropyAttributes, context: ReferenceContext): NdArray[] {
  const [factor, weight] = attributes.reduction === "mean" ? [rest[0]!.data[0]!, rest[1]] : [1, rest[0]];
  const classes = logits!.shape.at(-1)!;
  const gradient = context.zeros("f32", logits!.shape);
  labels!.data.forEach((label, row) => {
    const [largest, logSum, mass] = statistics!.data.subarray(4 * row, 4 * row + 3) as Float64Array;
    targetsOf(label, classes, weight, attributes).forEach((target, c) => {
      const probability = Math.exp(logits!.data[row * classes + c]! - largest! - logSum!);
      gradient.data[row * classes + c] = factor * g!.data[attributes.reduction === "none" ? row : 0]! * (mass! * probability - target);
    });
  });
  return [gradient];
}
