export { architectureByName, architectureFor, type Architecture, type Head } from "./architectures.ts";
export { createModel, createZeroModel } from "./create.ts";
export { loadModel, modelPlan, type LoadedModel, type LoadOptions } from "./load.ts";
export { Model } from "./model.ts";
export type { Decoder, EncoderInputs, EncoderOutputs, ModelOutputs } from "./outputs.ts";
export { parametersOf } from "./parameters.ts";
export { saveModel, statesToWrite } from "./save.ts";
