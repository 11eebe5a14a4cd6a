import { HeddleError } from "../../errors.ts";
import { defineOp } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, constant, emit, emitOne, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape } from "../../program/types.ts";
import { broadcastTo } from "../broadcast/op.ts";
import { onnxLayerNorm, onnxLayerNormInput, onnxLayerNormParameters } from "./op.onnx.ts";
import { referenceLayerNorm, referenceLayerNormInput, referenceLayerNormParameters } from "./op.reference.ts";
import { lowerLayerNorm, lowerLayerNormInput, lowerLayerNormParameters } from "./op.wgsl.ts";

export interface LayerNormAttributes {
  epsilon: number;
}

/** (x, weight, bias) → (y, mean, inverse standard deviation), the statistics [rows, 1]-shaped along the last axis. */
const layerNormOp = defineOp<LayerNormAttributes>({
  name: "layerNorm",
  infer([x, weight, bias], { epsilon }) {
    if (!(epsilon > 0)) throw new HeddleError("INVALID_ARGUMENT", `[layerNorm] epsilon must be positive, got ${epsilon}; checkpoints name it layer_norm_eps, usually 1e-5 or 1e-12`);
    const wrong = [x!, weight!, bias!].find(({ dtype }) => dtype !== "f32");
    if (wrong) throw new HeddleError("DTYPE_MISMATCH", `[layerNorm] wants f32, got ${wrong.dtype}; convert with cast()`);
    const features = x!.shape.at(-1);
    if (features === undefined || !sameShape(weight!.shape, [features]) || !sameShape(bias!.shape, [features])) {
      throw new HeddleError("SHAPE_MISMATCH", `[layerNorm] x ${formatShape(x!.shape)} is normalised over its last axis, so weight and bias must be [${features ?? "features"}]; got ${formatShape(weight!.shape)} and ${formatShape(bias!.shape)}`);
    }
    const statistics = { dtype: "f32" as const, shape: [...x!.shape.slice(0, -1), 1] };
    return [x!, statistics, statistics];
  },
  vjp({ inputs: [x, weight], outputs: [, mean, inverseDeviation], gradients: [g] }) {
    const dx = emitOne(inputGradientOp, [x!, weight!, mean!, inverseDeviation!, g!], {});
    const [dWeight, dBias] = emit(parameterGradientsOp, [x!, mean!, inverseDeviation!, g!], {});
    return [dx, dWeight!, dBias!];
  },
  reference: referenceLayerNorm,
  lower: lowerLayerNorm,
  onnx: onnxLayerNorm,
});

/** (x, weight, mean, inverse deviation, dy) → dx. */
const inputGradientOp = defineOp({
  name: "layerNormInputGradient",
  infer: ([x]) => [x!],
  reference: referenceLayerNormInput,
  lower: lowerLayerNormInput,
  onnx: onnxLayerNormInput,
});

/** (x, mean, inverse deviation, dy) → (dweight, dbias). */
const parameterGradientsOp = defineOp({
  name: "layerNormParameterGradients",
  infer([x]) {
    const type = { dtype: "f32" as const, shape: x!.shape.slice(-1) };
    return [type, type];
  },
  reference: referenceLayerNormParameters,
  lower: lowerLayerNormParameters,
  onnx: onnxLayerNormParameters,
});

/**
 * Layer normalisation over the last axis (Ba, Kiros & Hinton 2016, equation 4), as torch.nn.functional.layer_norm:
 * (x − mean) / √(variance + epsilon) · weight + bias, with the biased variance about the mean, never E[x²] − E[x]².
 *
 * @param x f32 [..., features]
 * @param weight f32 [features]
 * @param bias f32 [features]; null for a norm without one
 * @returns f32 [..., features]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function layerNorm(x: TensorLike, weight: TensorLike, bias: TensorLike | null, epsilon: number): Tensor {
  const scale = asTensor(weight);
  return emit(layerNormOp, [x, scale, bias ?? broadcastTo(constant(0), scale.shape)], { epsilon })[0]!;
}
