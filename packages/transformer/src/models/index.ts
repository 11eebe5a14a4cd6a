export {
  AutoModel,
  AutoModelForCausalLM,
  AutoModelForImageClassification,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSeq2SeqLM,
  AutoModelForSequenceClassification,
  AutoModelForSpeechSeq2Seq,
  AutoModelForTokenClassification,
  AutoTokenizer,
  type AutoClass,
  type AutoLoadOptions,
  type AutoOptions,
} from "./auto.ts";
export { architectureByName, architectureFor, type Architecture, type Head } from "./architectures.ts";
export { createModel, createZeroModel } from "./create.ts";
export { ItemFeatureEncoder, ItemFeatureModel, type ItemFeatureModelOptions } from "./item-features.ts";
export { LOAD_DTYPES, loadModel, modelPlan, quantizedFormats, type LoadDtype, type LoadedModel, type LoadOptions, type LoadProgress } from "./load.ts";
export { Model } from "./model.ts";
export { splitInputs, type DecoderInputs, type EncoderInputs, type ImageInputs, type InputName, type ModelInputs, type TextAndImageInputs } from "./inputs.ts";
export type { Decoder, EncoderOutputs, ModelOutputs } from "./outputs.ts";
export { parametersOf } from "./parameters.ts";
export { pushModel, saveModel, statesToWrite } from "./save.ts";
export { scoresOf } from "../nn/vocabulary-scores.ts";
export { tokenAt } from "../nn/token-at.ts";
export { AutoProcessor, Processor, processorOf } from "./processor.ts";
