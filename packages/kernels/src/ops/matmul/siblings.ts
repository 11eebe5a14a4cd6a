import { spanOf, type BufferRef } from "../../program/lowering.ts";
import type { LowerContext, Op } from "../../program/op.ts";
import type { Node } from "../../program/tensor.ts";
import { sameShape, type TensorType } from "../../program/types.ts";
import { matmulBucket, matmulDesigns, naiveDesign, type MatmulDesign } from "./choose.ts";
import { matmulOp, matmulShape, siblingShape, type MatmulAttributes } from "./op.ts";
import { lowerMatmul, multiplySiblings } from "./op.wgsl.ts";

const withBias = ({ bias }: MatmulAttributes) => (bias ? 2 : 1);

/** Inputs a, then b and bias? of each product; one output each. Only `joinSiblings` makes such nodes, after gradients were taken. */
export const siblingMatmulOp: Op<MatmulAttributes, MatmulDesign> = {
  name: "siblingMatmul",
  infer: ([a, ...others], attributes) => productsOf(others, attributes).flatMap((own) => matmulOp.infer([a!, ...own], attributes)),
  reference: ([a, ...others], attributes, context) => productsOf(others, attributes).flatMap((own) => matmulOp.reference!([a!, ...own], attributes, context)),
  adjacentOutputs: true,
  tunable: {
    bucket: (inputs, attributes) => matmulBucket(shapeOf(inputs, attributes)),
    designs(adapter, inputs, attributes) {
      const [shipped, ...others] = matmulDesigns(adapter, shapeOf(inputs, attributes));
      return atOnce(shipped!) ? [shipped!, ...others.filter(atOnce)] : [shipped!];
    },
    naive: naiveDesign,
  },
  lower(context) {
    const { attributes, inputs, outputs } = context;
    const [a, ...others] = inputs as [BufferRef, ...BufferRef[]];
    const products = productsOf(others, attributes);
    if (multiplyAtOnce(context, a, products)) return;
    // A design for all at once is none for each, but for the naive one.
    const design = context.design?.kernel.kind === "naive" ? context.design : undefined;
    products.forEach((own, i) => lowerMatmul({ ...context, design, inputs: [a, ...own], outputs: [outputs[i]!] }));
  },
};

/** Which products can be such siblings: by one matrix that is a state, and nothing at the end but a bias. */
export const matmulSiblings = {
  op: siblingMatmulOp as Op,
  joins({ inputs, attributes }: Node): boolean {
    const { transposeA, transposeB, activation, extra } = attributes as MatmulAttributes;
    const [a, ...weights] = inputs;
    return !extra && activation === "identity" && weights.every(({ node, dtype }) => node.op.name === "state" && dtype === "f32") && matmulShape(a!.shape, weights[0]!.shape, { transposeA, transposeB }).batches === 1;
  },
  alike: (a: Node, b: Node): boolean => JSON.stringify(a.attributes) === JSON.stringify(b.attributes) && sameShape(a.inputs[1]!.shape, b.inputs[1]!.shape),
};

const shapeOf = ([a, b, ...others]: readonly TensorType[], attributes: MatmulAttributes) => siblingShape(a!.shape, b!.shape, (others.length + 1) / withBias(attributes), attributes);
const atOnce = ({ kernel, splits }: MatmulDesign) => kernel.kind !== "naive" && splits === 1;

function productsOf<T>(others: readonly T[], attributes: MatmulAttributes): T[][] {
  const each = withBias(attributes);
  return Array.from({ length: others.length / each }, (_, i) => others.slice(each * i, each * (i + 1)));
}

/** One dispatch where the weights, the biases and the results lie in equal steps; false where they do not. */
function multiplyAtOnce(context: LowerContext<MatmulAttributes, MatmulDesign>, a: BufferRef, products: readonly BufferRef[][]): boolean {
  const columns = [products.map(([b]) => b!), ...(context.attributes.bias ? [products.map(([, bias]) => bias!)] : []), context.outputs];
  const steps = columns.map(stepOf);
  if (steps.some((step) => step === null)) return false;
  const spans = columns.map(spanOf);
  const hasBias = columns.length === 3;
  return multiplySiblings(context, {
    count: products.length,
    a,
    b: products[0]![0]!,
    spanB: spans[0]!,
    bias: hasBias ? spans[1] : undefined,
    y: spans.at(-1)!,
    strides: { strideB: steps[0]!, strideBias: hasBias ? steps[1]! : 0, strideY: steps.at(-1)! },
  });
}

/** Elements from one to the next; null where they do not lie in equal steps, in order, in one storage. */
function stepOf(refs: readonly BufferRef[]): number | null {
  const offsets = refs.map(({ offsetBytes = 0 }) => offsetBytes / 4);
  const step = offsets[1]! - offsets[0]!;
  const regular = refs.every(({ storage }, i) => storage === refs[0]!.storage && offsets[i] === offsets[0]! + i * step);
  return regular && step > 0 && step % 4 === 0 ? step : null;
}
