import { createQuantizedState, ReferenceDevice } from "@heddle/kernels";
import { Model } from "@heddle/transformer";
import { expect, it } from "vitest";
import { tinyModel } from "./testing/tiny.ts";
import { TrainStep, type TrainStepOptions } from "./train-step.ts";

it("refuses weights in few bits, which no step changes", () => {
  const { architecture, config, device, parameters } = tinyModel(new ReferenceDevice());
  const quantized = new Map([["w", createQuantizedState(device, "w", { format: "q8_0", shape: [1, 32] })]]);
  using model = new Model(architecture, config, device, parameters, quantized);
  expect(() => new TrainStep(model, {} as TrainStepOptions)).toThrow(expect.objectContaining({ code: "NOT_DIFFERENTIABLE", message: expect.stringContaining('load it with dtype "float32"') }));
});
