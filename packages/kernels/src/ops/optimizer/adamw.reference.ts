import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import type { AdamWAttributes } from "./adamw.ts";

export function referenceAdamW(inputs: readonly NdArray[], { beta1, beta2, epsilon, weightDecay }: AdamWAttributes, context: ReferenceContext): NdArray[] {
  const [parameter, gradient, first, second] = inputs.slice(0, 4).map(({ data }) => data);
  const [learningRate, correction1, correction2, scale] = inputs.slice(4).map(({ data }) => data[0]!);
  const [newParameter, newFirst, newSecond] = [0, 1, 2].map(() => context.zeros("f32", inputs[0]!.shape));
  parameter!.forEach((value, i) => {
    const g = gradient![i]! * scale!;
    newFirst!.data[i] = beta1 * first![i]! + (1 - beta1) * g;
    newSecond!.data[i] = beta2 * second![i]! + (1 - beta2) * g * g;
    const step = newFirst!.data[i]! / correction1! / (Math.sqrt(newSecond!.data[i]! / correction2!) + epsilon);
    newParameter!.data[i] = value * (1 - learningRate! * weightDecay) - learningRate! * step;
  });
  return [newParameter!, newFirst!, newSecond!];
}
