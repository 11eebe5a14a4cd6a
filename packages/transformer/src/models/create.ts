import type { Device } from "@heddle/kernels";
import type { ModelConfig } from "../config/index.ts";
import { initialize } from "../nn/initialize.ts";
import type { Architecture } from "./architectures.ts";
import { Model } from "./model.ts";
import { parametersOf } from "./parameters.ts";

/** A model without anything learnt or drawn: for what does not depend on weights, such as its speed. */
export function createZeroModel(device: Device, architecture: Architecture, config: ModelConfig): Model {
  return new Model(architecture, config, device, new Map(parametersOf(architecture, config).map(({ name, shape }) => [name, device.createState(name, { dtype: "f32", shape })])));
}

/** A new model with random weights, the same for the same seed. */
export function createModel(device: Device, architecture: Architecture, config: ModelConfig, seed: number): Model {
  const parameters = new Map(
    parametersOf(architecture, config).map((spec) => [spec.name, device.createState(spec.name, { dtype: "f32", shape: spec.shape }, initialize(spec, seed))]),
  );
  return new Model(architecture, config, device, parameters);
}
