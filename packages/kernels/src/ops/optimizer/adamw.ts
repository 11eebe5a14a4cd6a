import type { State } from "../../device/device.ts";
import { HeddleError } from "../../errors.ts";
import { defineOp } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { assign, emit, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape, type TensorType } from "../../program/types.ts";
import { referenceAdamW } from "./adamw.reference.ts";
import { onnxAdamW } from "./op.onnx.ts";
import { lowerAdamW } from "./adamw.wgsl.ts";

export interface AdamWAttributes {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

/** (parameter, gradient, first moment, second moment, learning rate, bias corrections 1 and 2, scale) → (parameter, moments), in place. */
const adamWOp = defineOp<AdamWAttributes>({
  name: "adamW",
  infer(inputs, { beta1, beta2, epsilon, weightDecay }) {
    const [parameter] = inputs;
    checkUpdate("adamW", inputs.slice(0, 4), inputs.slice(4));
    if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) throw new HeddleError("INVALID_ARGUMENT", `[adamW] betas must be in [0, 1), got ${beta1} and ${beta2}; 0.9 and 0.999 are usual`);
    if (!(epsilon > 0 && weightDecay >= 0)) throw new HeddleError("INVALID_ARGUMENT", `[adamW] epsilon must be positive and weightDecay not negative, got ${epsilon} and ${weightDecay}; 1e-8 and 0.01 are usual`);
    return [parameter!, parameter!, parameter!];
  },
  reference: referenceAdamW,
  lowerTogether: lowerAdamW,
  adjacentInputs: () => [1],
  onnx: onnxAdamW,
  inPlace: () => ({ 0: 0, 1: 2, 2: 3 }),
});

/** Throws unless the first tensors are f32 of one shape and the others f32 scalars. */
export function checkUpdate(where: string, tensors: readonly TensorType[], scalars: readonly TensorType[]): void {
  const wrong = [...tensors, ...scalars].find(({ dtype }) => dtype !== "f32");
  if (wrong) throw new HeddleError("DTYPE_MISMATCH", `[${where}] wants f32, got ${wrong.dtype}; convert with cast()`);
  if (tensors.some(({ shape }) => !sameShape(shape, tensors[0]!.shape))) {
    throw new HeddleError("SHAPE_MISMATCH", `[${where}] the gradient and every moment must have the parameter's shape ${formatShape(tensors[0]!.shape)}, got ${tensors.slice(1).map(({ shape }) => formatShape(shape)).join(", ")}`);
  }
  const vector = scalars.find(({ shape }) => shape.length !== 0);
  if (vector) throw new HeddleError("SHAPE_MISMATCH", `[${where}] learning rate, bias corrections and scale are scalars of shape [], got ${formatShape(vector.shape)}`);
}

export interface AdamWUpdate {
  parameter: State;
  gradient: Tensor;
  /** Zeros before the first step, like the second. */
  firstMoment: State;
  secondMoment: State;
  learningRate: TensorLike;
  /** 1 − β₁ᵗ and 1 − β₂ᵗ at step t, from `biasCorrections`: f32 would lose them. Inputs of the program. */
  biasCorrection1: TensorLike;
  biasCorrection2: TensorLike;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  weightDecay?: number;
  /** Multiplies the gradient first, such as `clipScale`'s result. */
  scale?: TensorLike;
}

/**
 * One step of AdamW (Loshchilov & Hutter 2019, algorithm 2) as torch.optim.AdamW takes it: decay by learningRate ·
 * weightDecay, then the bias-corrected step. Replaces the three states in place. On a GPU the calls of a program share a
 * dispatch where parameters, first and second moments each came from one `createStates`.
 *
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function adamW({ parameter, gradient, firstMoment, secondMoment, learningRate, biasCorrection1, biasCorrection2, scale = 1, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 }: AdamWUpdate): void {
  const inputs = [parameter, gradient, firstMoment, secondMoment, learningRate, biasCorrection1, biasCorrection2, scale];
  const [newParameter, newFirst, newSecond] = emit(adamWOp, inputs, { beta1, beta2, epsilon, weightDecay });
  assign(parameter, newParameter!);
  assign(firstMoment, newFirst!);
  assign(secondMoment, newSecond!);
}

/**
 * 1 − βᵗ for both betas, in f64 on the host.
 *
 * @param step 1 for the first step
 */
export function biasCorrections(step: number, beta1 = 0.9, beta2 = 0.999): { biasCorrection1: number; biasCorrection2: number } {
  if (!Number.isInteger(step) || step < 1) throw new HeddleError("INVALID_ARGUMENT", `[biasCorrections] steps count from 1, got ${step}`);
  return { biasCorrection1: 1 - beta1 ** step, biasCorrection2: 1 - beta2 ** step };
}
