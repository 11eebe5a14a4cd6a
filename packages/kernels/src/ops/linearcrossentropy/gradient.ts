import { partOf, type BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import type { Shape } from "../../program/types.ts";
import { lowerCrossEntropyGradient } from "../crossentropy/gradient.wgsl.ts";
import { lowerReduce } from "../reduce/op.wgsl.ts";
import { chunkedProducts, type ChunkColumns } from "./chunks.ts";
import type { LinearCrossEntropyAttributes } from "./op.ts";

/** Makes each chunk of logits once more, turns it into its gradient in place, and multiplies that with what it came from. */
export function lowerLinearCrossEntropyGradient(context: LowerContext<LinearCrossEntropyAttributes>, columns: ChunkColumns): void {
  const { attributes, inputs, outputs, scratch } = context;
  const [states, weight, labels, statistics, g] = inputs as [BufferRef, BufferRef, BufferRef, BufferRef, BufferRef];
  const factor = attributes.reduction === "mean" ? [inputs[5]!] : [];
  const bias = attributes.bias ? inputs.at(-1) : undefined;
  const [dStates, dBias, dWeight] = attributes.bias ? outputs : [outputs[0], undefined, outputs[1]];
  const [classes, size] = weight.type.shape as [number, number];
  const { hidden, chunks, step, multiply } = chunkedProducts(context, states, weight, bias, columns);
  // A dispatch cannot add to what it reads: sums so far go to and fro, and the last is the result.
  const sums: BufferRef[] = [{ ...dStates!, type: hidden.type }, ...(chunks.length > 1 ? [scratch(hidden.type)] : [])];
  let addend: BufferRef | undefined;
  for (const [i, { first, count, weight: part, logits, multiply: remake }] of chunks.entries()) {
    remake();
    lowerCrossEntropyGradient(step(attributes, [logits, labels, statistics, g, ...factor], [logits]), { first, classes });
    const sum = sums[(chunks.length - 1 - i) % 2]!;
    multiply(logits, part, sum, { addend });
    addend = sum;
    const own = (whole: BufferRef, from: number, shape: Shape) => partOf(whole, from, { dtype: "f32", shape });
    if (dWeight) multiply(logits, hidden, own(dWeight, first * size, [count, size]), { transposeA: true });
    if (dBias) lowerReduce(step({ reduction: "sum", begin: 0, end: 1 }, [logits], [own(dBias, first, [1, count])]));
  }
}
