import { placeholder, trace, type Tensor, type TensorType } from "@heddle/kernels";
import type { ModelConfig } from "../config/index.ts";
import { inference } from "../nn/forward-mode.ts";
import { Scope, type ParameterSpec } from "../nn/scope.ts";
import type { Architecture } from "./architectures.ts";

/** Every parameter of a model, found by tracing its forward pass on its smallest inputs: the model code is the only list there is. */
export function parametersOf(architecture: Architecture, config: ModelConfig): ParameterSpec[] {
  return parametersUsed(`${architecture.name} parameters`, architecture.smallestInputs(config), (scope, inputs) => architecture.forward(scope, config, inputs, inference));
}

/** Every parameter that code takes from its scope. */
export function parametersUsed(name: string, inputTypes: Readonly<Record<string, TensorType>>, use: (scope: Scope, inputs: Record<string, Tensor>) => unknown): ParameterSpec[] {
  const specs = new Map<string, ParameterSpec>();
  trace(name, inputTypes, (inputs) => {
    const scope = new Scope(({ matrix, ...spec }) => {
      // One that is read in other ways as well is not only a matrix.
      const isMatrix = matrix && (specs.get(spec.name)?.matrix ?? !specs.has(spec.name));
      specs.set(spec.name, isMatrix ? { ...spec, matrix } : spec);
      return placeholder(spec.name, { dtype: "f32", shape: spec.shape });
    });
    use(scope, inputs);
    return {};
  });
  return [...specs.values()];
}
