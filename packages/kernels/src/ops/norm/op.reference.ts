import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import type { NormSettings } from "./forward.wgsl.ts";

/** Inputs and outputs as `lowerNorm` has them; all statistics are outputs. */
export function referenceNorm(inputs: readonly NdArray[], { centred, bias, residual, epsilon, weightOffset }: NormSettings, context: ReferenceContext): NdArray[] {
  const [x, weight] = inputs as [NdArray, NdArray];
  const shift = bias ? inputs[2]!.data : undefined;
  const features = x.shape.at(-1)!;
  const statistics = [...x.shape.slice(0, -1), 1];
  const [y, sum, mean, inverseDeviation] = [context.zeros("f32", x.shape), context.zeros("f32", x.shape), context.zeros("f32", statistics), context.zeros("f32", statistics)];
  const added = residual ? inputs.at(-1)!.data : undefined;
  for (let i = 0; i < x.data.length; i++) sum.data[i] = x.data[i]! + (added ? added[i % added.length]! : 0);
  for (let row = 0; row < mean.data.length; row++) {
    const values = sum.data.subarray(row * features, (row + 1) * features);
    let total = 0;
    for (const value of values) total += value;
    const rowMean = centred ? total / features : 0;
    let squares = 0;
    for (const value of values) squares += (value - rowMean) ** 2;
    mean.data[row] = rowMean;
    inverseDeviation.data[row] = 1 / Math.sqrt(squares / features + epsilon);
    values.forEach((value, i) => (y.data[row * features + i] = (value - rowMean) * inverseDeviation.data[row]! * (weight.data[i]! + weightOffset) + (shift ? shift[i]! : 0)));
  }
  return [y, ...(residual ? [sum] : []), ...(centred ? [mean] : []), inverseDeviation];
}

/** Inputs x, weight, [mean], inverse deviation, dy, [addend]. */
export function referenceNormInputGradient(inputs: readonly NdArray[], { centred, weightOffset }: { centred: boolean; weightOffset: number }, context: ReferenceContext): NdArray[] {
  const [x, weight] = inputs as [NdArray, NdArray];
  const [inverseDeviation, dy, addend] = inputs.slice(centred ? 3 : 2) as [NdArray, NdArray, NdArray | undefined];
  const features = x.shape.at(-1)!;
  const dx = context.zeros("f32", x.shape);
  for (let row = 0; row < inverseDeviation.data.length; row++) {
    const scale = inverseDeviation.data[row]!;
    const rowMean = centred ? inputs[2]!.data[row]! : 0;
    const normalised = (i: number) => (x.data[row * features + i]! - rowMean) * scale;
    const gradient = (i: number) => dy.data[row * features + i]! * (weight.data[i]! + weightOffset);
    let sum = 0;
    let projection = 0;
    for (let i = 0; i < features; i++) {
      sum += centred ? gradient(i) : 0;
      projection += gradient(i) * normalised(i);
    }
    for (let i = 0; i < features; i++) {
      dx.data[row * features + i] = scale * (gradient(i) - sum / features - (normalised(i) * projection) / features) + (addend ? addend.data[row * features + i]! : 0);
    }
  }
  return [dx];
}

/** Inputs x, [mean], inverse deviation, dy; both gradients, of which a norm without a bias takes the first. */
export function referenceNormParameterGradients(inputs: readonly NdArray[], { centred }: { centred: boolean }, context: ReferenceContext): NdArray[] {
  const x = inputs[0]!;
  const [inverseDeviation, dy] = inputs.slice(centred ? 2 : 1) as [NdArray, NdArray];
  const features = x.shape.at(-1)!;
  const [dWeight, dBias] = [context.zeros("f32", [features]), context.zeros("f32", [features])];
  for (let i = 0; i < features; i++) {
    let [weightTotal, biasTotal] = [0, 0];
    for (let row = 0; row < inverseDeviation.data.length; row++) {
      const g = dy.data[row * features + i]!;
      weightTotal += g * (x.data[row * features + i]! - (centred ? inputs[1]!.data[row]! : 0)) * inverseDeviation.data[row]!;
      biasTotal += g;
    }
    dWeight.data[i] = weightTotal;
    dBias.data[i] = biasTotal;
  }
  return [dWeight, dBias];
}
