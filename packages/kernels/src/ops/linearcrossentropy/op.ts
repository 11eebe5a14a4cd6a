import { HeddleError } from "../../errors.ts";
import { defineOp, type Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emit, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape, sizeOf, type TensorType } from "../../program/types.ts";
import { checkOptions, crossEntropy, lossTypes, type CrossEntropyAttributes, type CrossEntropyOptions } from "../crossentropy/op.ts";
import { matmul } from "../matmul/op.ts";
import { chunkColumns, type ChunkColumns } from "./chunks.ts";
import { lowerLinearCrossEntropy } from "./forward.wgsl.ts";
import { lowerLinearCrossEntropyGradient } from "./gradient.ts";
import { onnxLinearCrossEntropy, onnxLinearCrossEntropyGradient, sliceRows, type SliceRows } from "./op.onnx.ts";
import { referenceLinearCrossEntropy, referenceLinearCrossEntropyGradient } from "./op.reference.ts";

export interface LinearCrossEntropyAttributes extends CrossEntropyAttributes {
  /** True: the last input is a bias [V]. */
  bias: boolean;
}

/** (hidden, weight, labels, [bias]) → what `crossEntropyOp` gives for their logits. */
export function defineLinearCrossEntropy(columns: ChunkColumns = chunkColumns, rows: SliceRows = sliceRows): Op<LinearCrossEntropyAttributes> {
  /** (hidden, weight, labels, statistics, gradient of the losses or their total, [a mean's factor], [bias]) → gradients of hidden, [bias], weight. */
  const gradientOp = defineOp<LinearCrossEntropyAttributes>({
    name: "linearCrossEntropyGradient",
    infer: ([hidden, weight], { bias }) => {
      const { shape } = weight!;
      return [hidden!, ...(bias ? [{ dtype: "f32", shape: [shape[0]!] } as const] : []), { dtype: "f32", shape }];
    },
    optionalOutputs: 2,
    readsHalf: true,
    reference: referenceLinearCrossEntropyGradient,
    lower: (context) => lowerLinearCrossEntropyGradient(context, columns),
    onnx: (context) => onnxLinearCrossEntropyGradient(context, rows),
  });
  return defineOp<LinearCrossEntropyAttributes>({
    name: "linearCrossEntropy",
    infer([hidden, weight, labels, bias], attributes) {
      checkTypes(hidden!, weight!, labels!, bias);
      checkOptions(attributes, "linearCrossEntropy");
      return lossTypes(labels!.shape, attributes);
    },
    vjp({ inputs: [hidden, weight, labels, ...bias], outputs: [, statistics, ...factor], gradients: [g], attributes }) {
      if (!g) return [null, null, null, ...bias.map(() => null)];
      const all = emit(gradientOp, [hidden!, weight!, labels!, statistics!, g, ...factor, ...bias], attributes);
      // Weights stored in half precision are frozen.
      return [all[0]!, weight!.dtype === "f16" ? null : all.at(-1)!, null, ...bias.map(() => all[1]!)];
    },
    readsHalf: true,
    reference: referenceLinearCrossEntropy,
    lower: (context) => lowerLinearCrossEntropy(context, columns),
    onnx: (context) => onnxLinearCrossEntropy(context, rows),
  });
}

const linearCrossEntropyOp = defineLinearCrossEntropy();

function checkTypes(hidden: TensorType, weight: TensorType, labels: TensorType, bias: TensorType | undefined): void {
  if (hidden.dtype !== "f32" || (weight.dtype !== "f32" && weight.dtype !== "f16") || labels.dtype !== "i32") {
    throw new HeddleError("DTYPE_MISMATCH", `[linearCrossEntropy] wants f32 hidden states, an f32 or f16 weight and i32 labels, got ${hidden.dtype}, ${weight.dtype} and ${labels.dtype}; convert with cast()`);
  }
  const spelled = `hidden ${formatShape(hidden.shape)}, weight ${formatShape(weight.shape)}, labels ${formatShape(labels.shape)}`;
  if (hidden.shape.length < 2 || weight.shape.length !== 2 || weight.shape[0] === 0 || hidden.shape.at(-1) !== weight.shape[1]) {
    throw new HeddleError("SHAPE_MISMATCH", `[linearCrossEntropy] hidden must be [..., tokens, H] and the weight [V, H], a row for each class: ${spelled}; turn a weight stored [H, V] with transpose()`);
  }
  if (!sameShape(hidden.shape.slice(0, -1), labels.shape)) throw new HeddleError("SHAPE_MISMATCH", `[linearCrossEntropy] labels must be one for each row of hidden, ${formatShape(hidden.shape.slice(0, -1))}: ${spelled}`);
  const classes = weight.shape[0]!;
  if (bias && (bias.dtype !== "f32" || !sameShape(bias.shape, [classes]))) {
    throw new HeddleError("SHAPE_MISMATCH", `[linearCrossEntropy] the bias must be f32 [${classes}], one number a class; got ${bias.dtype} ${formatShape(bias.shape)}`);
  }
}

export interface LinearCrossEntropyOptions extends Pick<CrossEntropyOptions, "ignoreIndex" | "labelSmoothing" | "reduction"> {
  /** f32 [V], added to every row of logits. */
  bias?: TensorLike;
}

/**
 * Cross-entropy of the logits hidden · weightᵀ + bias against class numbers, as
 * `crossEntropy(matmul(hidden, weight, { transposeB: true, bias }), labels, options)`, without their memory: logits of more
 * than 16 MiB are made in chunks of classes, which the loss reads and the gradient makes once more (Wijmans et al. 2024,
 * "Cut Your Losses in Large-Vocabulary Language Models", arXiv:2411.09009). So a step needs no [..., V] tensor, for one more
 * product. Fewer logits are kept, and cost what they did.
 *
 * @param hidden f32 [..., tokens, H]
 * @param weight f32 [V, H], as a tied embedding's table; or f16, which has no gradient
 * @param labels i32 [..., tokens]
 * @returns f32 [], or [..., tokens] for reduction "none"
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function linearCrossEntropy(hidden: TensorLike, weight: TensorLike, labels: TensorLike, { bias, ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" }: LinearCrossEntropyOptions = {}): Tensor {
  const inputs = [hidden, weight, labels, ...(bias === undefined ? [] : [bias])].map((input) => asTensor(input));
  const attributes = { ignoreIndex, labelSmoothing, reduction, bias: bias !== undefined };
  linearCrossEntropyOp.infer(inputs.map(({ type }) => type), attributes);
  const [x, w] = inputs as [Tensor, Tensor];
  const [classes, size] = w.shape as [number, number];
  if (chunkColumns(sizeOf(x.shape.slice(0, -1)), size) >= classes) return crossEntropy(matmul(x, w, { transposeB: true, ...(bias !== undefined && { bias }) }), labels, { ignoreIndex, labelSmoothing, reduction });
  return emit(linearCrossEntropyOp, inputs, attributes)[0]!;
}
