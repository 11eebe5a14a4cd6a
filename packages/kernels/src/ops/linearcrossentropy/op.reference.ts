import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { referenceCrossEntropy, referenceCrossEntropyGradient } from "../crossentropy/op.reference.ts";
import { referenceMatmul } from "../matmul/op.reference.ts";
import type { LinearCrossEntropyAttributes } from "./op.ts";

/** a · b, with a and b as they come or transposed, + bias. */
function product(a: NdArray, b: NdArray, form: { transposeA?: boolean; transposeB?: boolean }, context: ReferenceContext, bias?: NdArray): NdArray {
  return referenceMatmul(bias ? [a, b, bias] : [a, b], { transposeA: false, transposeB: false, ...form, bias: bias !== undefined, activation: "identity" }, context)[0]!;
}

const asRows = (x: NdArray): NdArray => ({ ...x, shape: [x.shape.slice(0, -1).reduce((a, b) => a * b, 1), x.shape.at(-1)!] });

export function referenceLinearCrossEntropy([hidden, weight, labels, bias]: readonly NdArray[], attributes: LinearCrossEntropyAttributes, context: ReferenceContext): NdArray[] {
  return referenceCrossEntropy([product(hidden!, weight!, { transposeB: true }, context, bias), labels!], attributes, context);
}

export function referenceLinearCrossEntropyGradient([hidden, weight, labels, statistics, g, ...rest]: readonly NdArray[], attributes: LinearCrossEntropyAttributes, context: ReferenceContext): NdArray[] {
  const factor = attributes.reduction === "mean" ? [rest[0]!] : [];
  const bias = attributes.bias ? rest.at(-1)! : undefined;
  const logits = product(hidden!, weight!, { transposeB: true }, context, bias);
  const [dLogits] = referenceCrossEntropyGradient([logits, labels!, statistics!, g!, ...factor], attributes, context) as [NdArray];
  const dHidden = product(dLogits, weight!, {}, context);
  const dWeight = product(asRows(dLogits), asRows(hidden!), { transposeA: true }, context);
  if (!bias) return [dHidden, dWeight];
  const dBias = context.zeros("f32", bias.shape);
  dLogits.data.forEach((value, i) => (dBias.data[i % bias.data.length]! += value));
  return [dHidden, dBias, dWeight];
}
