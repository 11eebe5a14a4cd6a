import { matmul, type ActivationName, type Tensor } from "@heddle/kernels";
import { product } from "./product.ts";
import { normal, zeros, type Scope } from "./scope.ts";

export interface LinearOptions {
  outputSize: number;
  /** Applied in the kernel's epilogue. */
  activation?: ActivationName;
  initializerRange: number;
  /** Default true. */
  bias?: boolean;
}

/** y = activation(x Wᵀ + b). x [..., in] → [..., out]; W is stored [out, in], as PyTorch's nn.Linear does. */
export function linear(scope: Scope, x: Tensor, { outputSize, initializerRange, ...epilogue }: LinearOptions): Tensor {
  return product(x, scope.matrix("weight", [outputSize, x.shape.at(-1)!], normal(initializerRange)), epilogueOf(scope, outputSize, epilogue));
}

/** The same with W stored [in, out], as GPT-2 has it: transformers' Conv1D. */
export function linearByColumns(scope: Scope, x: Tensor, { outputSize, initializerRange, ...epilogue }: LinearOptions): Tensor {
  return matmul(x, scope.parameter("weight", [x.shape.at(-1)!, outputSize], normal(initializerRange), true), epilogueOf(scope, outputSize, epilogue));
}

function epilogueOf(scope: Scope, outputSize: number, { activation, bias = true }: Pick<LinearOptions, "activation" | "bias">) {
  return { ...(bias && { bias: scope.parameter("bias", [outputSize], zeros) }), ...(activation && { activation }) };
}
