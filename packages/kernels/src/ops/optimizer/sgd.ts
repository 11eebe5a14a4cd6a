import type { State } from "../../device/device.ts";
import { HeddleError } from "../../errors.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, assign, type TensorLike } from "../../program/trace.ts";
import { add, mul, sub } from "../elementwise/arithmetic.ts";
import { checkUpdate } from "./adamw.ts";

export interface SgdUpdate {
  parameter: State;
  gradient: Tensor;
  learningRate: TensorLike;
  /** Zeros before the first step. Needed where `momentum` is not 0. */
  velocity?: State;
  momentum?: number;
  /** Looks ahead along the velocity (Sutskever et al. 2013), as PyTorch writes it. */
  nesterov?: boolean;
  /** Added to the gradient as weightDecay · parameter: L2, not decoupled. */
  weightDecay?: number;
  /** Multiplies the gradient first, such as `clipScale`'s result. */
  scale?: TensorLike;
}

/**
 * One step of stochastic gradient descent as torch.optim.SGD (dampening 0). Replaces the parameter and the velocity.
 *
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function sgd({ parameter, gradient, learningRate, velocity, momentum = 0, nesterov = false, weightDecay = 0, scale }: SgdUpdate): void {
  if (!(momentum >= 0 && weightDecay >= 0)) throw new HeddleError("INVALID_ARGUMENT", `[sgd] momentum and weightDecay must not be negative, got ${momentum} and ${weightDecay}`);
  if (momentum > 0 && !velocity) throw new HeddleError("INVALID_ARGUMENT", "[sgd] momentum needs a state `velocity` of the parameter's shape, zeros before the first step");
  if (nesterov && momentum === 0) throw new HeddleError("INVALID_ARGUMENT", "[sgd] nesterov needs a momentum above 0; 0.9 is usual");
  checkUpdate("sgd", [parameter.type, gradient.type, ...(velocity ? [velocity.type] : [])], [asTensor(learningRate).type, ...(scale === undefined ? [] : [asTensor(scale).type])]);
  let step = scale === undefined ? gradient : mul(gradient, scale);
  if (weightDecay > 0) step = add(step, mul(parameter, weightDecay));
  if (velocity && momentum > 0) {
    const faster = add(mul(velocity, momentum), step);
    assign(velocity, faster);
    step = nesterov ? add(step, mul(faster, momentum)) : faster;
  }
  assign(parameter, sub(parameter, mul(step, learningRate)));
}
