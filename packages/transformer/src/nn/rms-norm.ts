import { rmsNorm as rmsNormOp, type RmsNormOptions, type Tensor } from "@heddle/kernels";
import { ones, zeros, type Scope } from "./scope.ts";

/** Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019). x [..., size]. */
export function rmsNorm(scope: Scope, x: Tensor, epsilon: number, options: RmsNormOptions = {}): Tensor {
  return rmsNormOp(x, scope.parameter("weight", [x.shape.at(-1)!], options.unitOffset ? zeros : ones), epsilon, options);
}
