import { layerNorm as layerNormOp, type Tensor } from "@heddle/kernels";
import { ones, zeros, type Scope } from "./scope.ts";

/** Layer normalisation over the last axis (Ba, Kiros & Hinton 2016). x [..., hidden]. */
export function layerNorm(scope: Scope, x: Tensor, epsilon: number, { bias = true }: { readonly bias?: boolean } = {}): Tensor {
  const shape = [x.shape.at(-1)!];
  return layerNormOp(x, scope.parameter("weight", shape, ones), bias ? scope.parameter("bias", shape, zeros) : null, epsilon);
}
