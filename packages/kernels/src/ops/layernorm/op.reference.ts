import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import type { LayerNormAttributes } from "./op.ts";

export function referenceLayerNorm([x, weight, bias]: readonly NdArray[], { epsilon }: LayerNormAttributes, context: ReferenceContext): NdArray[] {
  const features = x!.shape.at(-1)!;
  const statistics = [...x!.shape.slice(0, -1), 1];
  const [y, mean, inverseDeviation] = [context.zeros("f32", x!.shape), context.zeros("f32", statistics), context.zeros("f32", statistics)];
  for (let row = 0; row < mean.data.length; row++) {
    const values = x!.data.subarray(row * features, (row + 1) * features);
    let total = 0;
    for (const value of values) total += value;
    const rowMean = total / features;
    let squares = 0;
    for (const value of values) squares += (value - rowMean) ** 2;
    mean.data[row] = rowMean;
    inverseDeviation.data[row] = 1 / Math.sqrt(squares / features + epsilon);
    values.forEach((value, i) => (y.data[row * features + i] = (value - rowMean) * inverseDeviation.data[row]! * weight!.data[i]! + bias!.data[i]!));
  }
  return [y, mean, inverseDeviation];
}

export function referenceLayerNormInput([x, weight, mean, inverseDeviation, dy]: readonly NdArray[], _: object, context: ReferenceContext): NdArray[] {
  const features = x!.shape.at(-1)!;
  const dx = context.zeros("f32", x!.shape);
  for (let row = 0; row < mean!.data.length; row++) {
    const scale = inverseDeviation!.data[row]!;
    const normalised = (i: number) => (x!.data[row * features + i]! - mean!.data[row]!) * scale;
    const gradient = (i: number) => dy!.data[row * features + i]! * weight!.data[i]!;
    let sum = 0;
    let projection = 0;
    for (let i = 0; i < features; i++) {
      sum += gradient(i);
      projection += gradient(i) * normalised(i);
    }
    for (let i = 0; i < features; i++) dx.data[row * features + i] = scale * (gradient(i) - sum / features - (normalised(i) * projection) / features);
  }
  return [dx];
}

export function referenceLayerNormParameters([x, mean, inverseDeviation, dy]: readonly NdArray[], _: object, context: ReferenceContext): NdArray[] {
  const features = x!.shape.at(-1)!;
  const [dWeight, dBias] = [context.zeros("f32", [features]), context.zeros("f32", [features])];
  for (let i = 0; i < features; i++) {
    let [weightTotal, biasTotal] = [0, 0];
    for (let row = 0; row < mean!.data.length; row++) {
      const g = dy!.data[row * features + i]!;
      weightTotal += g * (x!.data[row * features + i]! - mean!.data[row]!) * inverseDeviation!.data[row]!;
      biasTotal += g;
    }
    dWeight.data[i] = weightTotal;
    dBias.data[i] = biasTotal;
  }
  return [dWeight, dBias];
}
