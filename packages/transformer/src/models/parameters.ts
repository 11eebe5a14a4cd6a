import { placeholder, trace } from "@heddle/kernels";
import type { ModelConfig } from "../config/index.ts";
import { inference } from "../nn/forward-mode.ts";
import { Scope, type ParameterSpec } from "../nn/scope.ts";
import type { Architecture } from "./architectures.ts";

/** Every parameter of a model, found by tracing its forward pass on its smallest inputs: the model code is the only list there is. */
export function parametersOf(architecture: Architecture, config: ModelConfig): ParameterSpec[] {
  const specs = new Map<string, ParameterSpec>();
  trace(`${architecture.name} parameters`, architecture.smallestInputs(config), (inputs) => {
    const scope = new Scope((spec) => {
      // Where it is used twice, both must be content with half precision.
      specs.set(spec.name, { ...spec, isMatrix: spec.isMatrix && (specs.get(spec.name)?.isMatrix ?? true) });
      return placeholder(spec.name, { dtype: "f32", shape: spec.shape });
    });
    architecture.forward(scope, config, inputs, inference);
    return {};
  });
  return [...specs.values()];
}
