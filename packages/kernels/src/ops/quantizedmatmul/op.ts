import { HeddleError } from "../../errors.ts";
import type { OnnxContext } from "../../onnx/context.ts";
import type { Value } from "../../onnx/graph.ts";
import type { LowerContext, Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emit, type TensorLike } from "../../program/trace.ts";
import { formatShape, sizeOf, type TensorType } from "../../program/types.ts";
import { activationDerivative, activationKind, type ActivationName } from "../activation/op.ts";
import { mul } from "../elementwise/arithmetic.ts";
import { absorbIntoProduct } from "../matmul/absorb.ts";
import type { MatmulDesign } from "../matmul/choose.ts";
import { onnxEnd } from "../matmul/op.onnx.ts";
import { referenceMatmul } from "../matmul/op.reference.ts";
import { matmul, optionalInputs, type MatmulShape, type ProductAttributes } from "../matmul/op.ts";
import { lowerProduct } from "../matmul/op.wgsl.ts";
import { pad } from "../movement/slice.ts";
import { sum } from "../reduce/op.ts";
import { reshape } from "../reshape/op.ts";
import { wholeBlocks, type QuantizationFormat } from "../quantize/format.ts";
import { onnxDequantize } from "../quantize/op.onnx.ts";
import { dequantize, referenceDequantize } from "../quantize/op.ts";
import { checkParts, type QuantizedWeight } from "../quantize/weight.ts";

interface QuantizedMatmulAttributes extends ProductAttributes {
  format: QuantizationFormat;
  /** Of the weight. */
  shape: readonly [outputs: number, inputs: number];
}

/** x [..., M, K] · w [N, K]ᵀ with K in whole blocks. Inputs: x, values, scales, then as for matmul. */
export const quantizedMatmulOp: Op<QuantizedMatmulAttributes, MatmulDesign> = {
  name: "quantizedMatmul",
  infer([x, values, scales, ...others], attributes) {
    const { format, shape, activation } = attributes;
    checkParts("quantizedMatmul", format, shape, values!, scales!);
    const { bias } = optionalInputs(others, attributes);
    if (bias && (bias.dtype !== "f32" || bias.shape.length !== 1 || bias.shape[0] !== shape[0])) {
      throw new HeddleError("SHAPE_MISMATCH", `[quantizedMatmul] the bias must be f32 [${shape[0]}], one number an output; got ${bias.dtype} ${formatShape(bias.shape)}`);
    }
    const y: TensorType = { dtype: "f32", shape: [...x!.shape.slice(0, -1), shape[0]] };
    return activation === "identity" ? [y] : [y, y];
  },
  vjp({ inputs: [x, values, scales], outputs: [, preActivation], gradients: [gradient, gradientBefore], attributes }) {
    if (gradientBefore) throw new HeddleError("NOT_DIFFERENTIABLE", "[quantizedMatmul] the pre-activation is for the gradient alone; multiply without an activation where a loss needs it");
    const { format, shape, activation, bias } = attributes;
    const g = activation === "identity" ? gradient! : mul(gradient!, activationDerivative(activation, preActivation!));
    const padded = [shape[0], wholeBlocks(shape[1])] as const;
    const gradients = [reshape(matmul(g, dequantize({ format, shape: padded, values: values!, scales: scales! })), x!.shape), null, null];
    return bias ? [...gradients, sum(reshape(g, [-1, shape[0]]), { axes: [0] })] : gradients;
  },
  reference([x, values, scales, ...others], attributes, context) {
    const [weight] = referenceDequantize([values!, scales!], attributes, context);
    return referenceMatmul([x!, weight!, ...others], { ...attributes, transposeA: false, transposeB: true }, context);
  },
  optionalOutputs: 1,
  lower: lowerQuantizedMatmul,
  absorb: absorbIntoProduct,
  onnx: onnxQuantizedMatmul,
  readsHalf: true,
};

export function lowerQuantizedMatmul(context: LowerContext<QuantizedMatmulAttributes, MatmulDesign>): void {
  const { attributes, inputs } = context;
  const [a, b, scales, ...others] = inputs;
  const { shape } = a!.type;
  const product: MatmulShape = { m: sizeOf(shape.slice(0, -1)), n: attributes.shape[0], k: shape.at(-1)!, batches: 1, transposeA: false, transposeB: true, sharesA: false, sharesB: false };
  lowerProduct(context, product, { a: a!, b: b!, scales: scales!, format: attributes.format, ...optionalInputs(others, attributes) });
}

function onnxQuantizedMatmul({ graph, inputs: [x, values, scales, ...others], outputs, attributes }: OnnxContext<QuantizedMatmulAttributes>): Value[] {
  const weight = onnxDequantize(graph, values!.value, scales!.value, attributes);
  const product = graph.op("MatMul", [x!.value, graph.op("Transpose", [weight], { perm: [1, 0] })]);
  return onnxEnd(graph, product, optionalInputs(others, attributes), attributes, outputs);
}

export interface QuantizedMatmulOptions {
  /** [N], added to every row. */
  bias?: TensorLike;
  /** Applied last, inside the same kernel; a name as in a Hugging Face config. */
  activation?: ActivationName;
}

/**
 * activation(x · Wᵀ + bias) with a weight in 8 or 4 bits, worked out to f32 in the kernel's registers: a linear layer whose
 * weight is read from a quarter or an eighth of the memory. The weight is frozen; x and bias have gradients, for which the
 * weight is held in f32 while it is used.
 *
 * @param x f32 [..., M, K]
 * @param weight [N, K], of `quantizeWeight`
 * @returns f32 [..., M, N]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function quantizedMatmul(x: TensorLike, weight: QuantizedWeight, { bias, activation = "linear" }: QuantizedMatmulOptions = {}): Tensor {
  const tensor = asTensor(x);
  const { format, shape } = weight;
  const inputs = shape[1];
  if (tensor.dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[quantizedMatmul] wants an f32 x, got ${tensor.dtype}; convert with cast()`);
  if (tensor.rank < 2 || tensor.shape.at(-1) !== inputs) throw new HeddleError("SHAPE_MISMATCH", `[quantizedMatmul] x ${formatShape(tensor.shape)} · weight ${formatShape(shape)}ᵀ: x must be [..., rows, ${inputs}]`);
  // Kernels go by whole blocks; what fills the last one up is multiplied with 0.
  const after = wholeBlocks(inputs) - inputs;
  const whole = after === 0 ? tensor : pad(tensor, { axis: -1, before: 0, after });
  return emit(quantizedMatmulOp, [whole, weight.values, weight.scales, ...(bias === undefined ? [] : [bias])], { format, shape, bias: bias !== undefined, activation: activationKind(activation) })[0]!;
}
