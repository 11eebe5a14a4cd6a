import { matmul, type ActivationName, type Tensor } from "@heddle/kernels";
import { normal, zeros, type Scope } from "./scope.ts";

export interface LinearOptions {
  outputSize: number;
  /** Applied in the kernel's epilogue. */
  activation?: ActivationName;
  initializerRange: number;
}

/** y = activation(x Wᵀ + b). x [..., in] → [..., out]; W is stored [out, in], as PyTorch's nn.Linear does. */
export function linear(scope: Scope, x: Tensor, { outputSize, activation, initializerRange }: LinearOptions): Tensor {
  const inputSize = x.shape.at(-1)!;
  return matmul(x, scope.parameter("weight", [outputSize, inputSize], normal(initializerRange)), {
    transposeB: true,
    bias: scope.parameter("bias", [outputSize], zeros),
    ...(activation && { activation }),
  });
}
