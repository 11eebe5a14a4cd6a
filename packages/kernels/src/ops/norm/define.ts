import { HeddleError } from "../../errors.ts";
import { defineOp, type Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emit, emitOne, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape, type TensorType } from "../../program/types.ts";
import { broadcastTo } from "../broadcast/op.ts";
import { sumTo } from "../elementwise/define.ts";
import { reshape } from "../reshape/op.ts";
import { lowerNorm, type NormForm } from "./forward.wgsl.ts";
import { lowerNormInputGradient } from "./input-gradient.wgsl.ts";
import { onnxNorm, onnxNormInputGradient, onnxNormParameterGradients } from "./op.onnx.ts";
import { referenceNorm, referenceNormInputGradient, referenceNormParameterGradients } from "./op.reference.ts";
import { lowerNormParameterGradients } from "./parameter-gradients.wgsl.ts";

/** What a call chooses; whether a mean is taken off is the op's own. */
export interface NormAttributes extends Omit<NormForm, "centred"> {
  readonly epsilon: number;
  /** Added to the weight: 1 where checkpoints store what the weight differs from 1 by. */
  readonly weightOffset: number;
}

interface InputGradientAttributes extends Pick<NormAttributes, "weightOffset"> {
  /** True: the last input is added. */
  readonly addend: boolean;
}

/**
 * A norm over the last axis: (x, weight, [bias], [residual]) → (y, [x + residual], [mean], inverse deviation), the statistics
 * with one number a row.
 */
export function defineNorm(name: "layerNorm" | "rmsNorm", centred: boolean): Op<NormAttributes> {
  const settings = (attributes: NormAttributes) => ({ ...attributes, centred });
  /** (x, weight, [mean], inverse deviation, dy, [addend]) → dx. */
  const inputGradientOp = defineOp<InputGradientAttributes>({
    name: `${name}InputGradient`,
    infer: ([x]) => [x!],
    // A gradient that comes along two paths: the kernel adds the other one on its way.
    absorb({ attributes, type, consumer, others: [addend] }) {
      const fits = consumer.op.name === "add" && sameShape(addend!.shape, type.shape);
      return fits && !attributes.addend ? { attributes: { ...attributes, addend: true }, inputs: [addend!], gone: [] } : null;
    },
    reference: (inputs, attributes, context) => referenceNormInputGradient(inputs, { ...attributes, centred }, context),
    lower: (context) => lowerNormInputGradient(context, { ...context.attributes, centred }),
    onnx: (context) => onnxNormInputGradient(context, centred),
  });
  /** (x, [mean], inverse deviation, dy) → (dweight, [dbias]). */
  const parameterGradientsOp = defineOp<{ bias: boolean }>({
    name: `${name}ParameterGradients`,
    infer([x], { bias }) {
      const type = { dtype: "f32" as const, shape: x!.shape.slice(-1) };
      return bias ? [type, type] : [type];
    },
    reference: (inputs, { bias }, context) => referenceNormParameterGradients(inputs, { centred }, context).slice(0, bias ? 2 : 1),
    lower: (context) => lowerNormParameterGradients(context, { centred }),
    onnx: (context) => onnxNormParameterGradients(context, centred),
  });
  return defineOp<NormAttributes>({
    name,
    infer(inputs, attributes) {
      checkTypes(name, inputs, attributes);
      const x = inputs[0]!;
      const statistics = { dtype: "f32" as const, shape: [...x.shape.slice(0, -1), 1] };
      return [x, ...(attributes.residual ? [x] : []), ...(centred ? [statistics] : []), statistics];
    },
    vjp({ inputs, outputs, gradients, attributes: { bias, residual, weightOffset } }) {
      const [x, weight] = inputs as [Tensor, Tensor];
      const [g, gSum] = [gradients[0], residual ? gradients[1] : null];
      const normalized = residual ? outputs[1]! : x;
      const statistics = outputs.slice(residual ? 2 : 1);
      const dx = g ? emitOne(inputGradientOp, [normalized, weight, ...statistics, g, ...(gSum ? [gSum] : [])], { weightOffset, addend: gSum !== null }) : gSum!;
      const [dWeight = null, dBias = null] = g ? emit(parameterGradientsOp, [normalized, ...statistics, g], { bias }) : [];
      return [dx, dWeight, ...(bias ? [dBias] : []), ...(residual ? [sumTo(dx, inputs.at(-1)!.shape)] : [])];
    },
    optionalOutputs: centred ? 2 : 1,
    reference: (inputs, attributes, context) => referenceNorm(inputs, settings(attributes), context),
    lower: (context) => lowerNorm(context, settings(context.attributes)),
    onnx: (context) => onnxNorm(context, centred),
  });
}

function checkTypes(name: string, inputs: readonly TensorType[], { epsilon, bias, residual }: NormAttributes): void {
  const x = inputs[0]!;
  const setting = name === "layerNorm" ? "layer_norm_eps, usually 1e-5 or 1e-12" : "rms_norm_eps, usually 1e-5 or 1e-6";
  if (!(epsilon > 0)) throw new HeddleError("INVALID_ARGUMENT", `[${name}] epsilon must be positive, got ${epsilon}; checkpoints name it ${setting}`);
  const wrong = inputs.find(({ dtype }) => dtype !== "f32");
  if (wrong) throw new HeddleError("DTYPE_MISMATCH", `[${name}] wants f32, got ${wrong.dtype}; convert with cast()`);
  const features = x.shape.at(-1);
  const parameters = inputs.slice(1, bias ? 3 : 2);
  if (features === undefined || parameters.some(({ shape }) => !sameShape(shape, [features]))) {
    throw new HeddleError("SHAPE_MISMATCH", `[${name}] x ${formatShape(x.shape)} is normalised over its last axis, so ${bias ? "weight and bias" : "the weight"} must be [${features ?? "features"}]; got ${parameters.map(({ shape }) => formatShape(shape)).join(" and ")}`);
  }
  const added = residual ? inputs.at(-1)!.shape : [features];
  if (added.length === 0 || !sameShape(x.shape.slice(-added.length), added)) {
    throw new HeddleError("SHAPE_MISMATCH", `[${name}] the residual ${formatShape(added)} must have the shape of x ${formatShape(x.shape)}, or of its last axes`);
  }
}

/** What a norm of a sum gives. */
export interface NormOfSum {
  readonly y: Tensor;
  /** x + residual, for the next residual connection. Costs nothing where nobody reads it. */
  readonly sum: Tensor;
}

/** The norm of x + residual in one kernel. A residual that is not x's last axes is repeated along the others first. */
export function normOfSum(op: Op<NormAttributes>, x: TensorLike, residual: TensorLike, parameters: readonly TensorLike[], attributes: Omit<NormAttributes, "bias" | "residual">): NormOfSum {
  const [tensor, other] = [asTensor(x), asTensor(residual)];
  // [1, length, features] repeats as [length, features] does.
  const repeated = other.shape.slice(other.shape.findIndex((extent) => extent !== 1));
  const fits = repeated.length > 0 && sameShape(tensor.shape.slice(-repeated.length), repeated);
  const [y, sum] = emit(op, [tensor, ...parameters, fits ? reshape(other, repeated) : broadcastTo(other, tensor.shape)], { ...attributes, bias: parameters.length === 2, residual: true });
  return { y: y!, sum: sum! };
}
