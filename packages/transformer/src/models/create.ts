import { createQuantizedState, type Device, type QuantizationFormat, type QuantizedState, type State } from "@heddle/kernels";
import type { ModelConfig } from "../config/index.ts";
import { initialize } from "../nn/initialize.ts";
import type { ParameterSpec } from "../nn/scope.ts";
import type { Architecture } from "./architectures.ts";
import { Model } from "./model.ts";
import { parametersOf } from "./parameters.ts";

/**
 * A model without anything learnt or drawn: for what does not depend on weights, such as its speed.
 *
 * @param formats of parameters that are held in few bits, by their names: see `quantizedFormats`
 */
export function createZeroModel(device: Device, architecture: Architecture, config: ModelConfig, formats: ReadonlyMap<string, QuantizationFormat> = new Map()): Model {
  const specs = parametersOf(architecture, config);
  const parameters = zeroParameters(device, specs.filter(({ name }) => !formats.has(name)));
  const quantized = specs.flatMap(({ name, shape }): [string, QuantizedState][] => {
    const format = formats.get(name);
    return format ? [[name, createQuantizedState(device, name, { format, shape: shape as [number, number] })]] : [];
  });
  return new Model(architecture, config, device, parameters, new Map(quantized));
}

/** A new model with random weights, the same for the same seed. */
export function createModel(device: Device, architecture: Architecture, config: ModelConfig, seed: number): Model {
  const specs = parametersOf(architecture, config);
  const parameters = zeroParameters(device, specs);
  for (const spec of specs) parameters.get(spec.name)!.write(initialize(spec, seed));
  return new Model(architecture, config, device, parameters);
}

/** States for parameters, side by side in memory as an optimizer wants them. */
export function zeroParameters(device: Device, specs: readonly ParameterSpec[], dtypeOf: (spec: ParameterSpec) => "f32" | "f16" = () => "f32"): Map<string, State> {
  const states = device.createStates(specs.map((spec) => ({ name: spec.name, type: { dtype: dtypeOf(spec), shape: spec.shape } })));
  return new Map(states.map((state) => [state.name, state]));
}
