export { HeddleError, listDevices, openDevice, toChromeTrace, type ChromeTrace, type Device, type DeviceName, type ErrorCode, type OpenDeviceOptions, type ProfileReport, type TuneEvent, type TuneResult } from "@heddle/kernels";
export { defaultTrainingArguments, type TrainingArguments } from "@heddle/training";
export { lockFolder, ONNX_DTYPES, readWav, type ChatMessage, type Sound, type FolderLock, type ModelFolderSource, type OnnxDtype, type WrittenFile } from "@heddle/transformer";

// Data
export { readTable, type ReadTableOptions, type Table, type TableFormat, type TableRow } from "./data/table.ts";
export { readTableFile } from "./data/table-file.ts";
export { labelledTexts, texts, type SelectedTexts } from "./data/select.ts";
export type { RowProblem } from "./data/records.ts";
export type { TableSource } from "./data/decode.ts";

// Tasks
export {
  pipeline,
  type FeatureExtractionPipeline,
  type FeatureExtractionPipelineOptions,
  type TextClassificationPipeline,
  type TextClassificationPipelineOptions,
} from "./pipeline.ts";
export { TextClassifier } from "./text-classification/classifier.ts";
export type * from "./text-classification/types.ts";
export type { FunctionToApply } from "./text-classification/scores.ts";
export { FeatureExtractor, type FeatureExtractorOptions } from "./feature-extraction/extractor.ts";
export type { Pooling, PoolingChoice } from "./feature-extraction/pooling.ts";
export { TextGenerator } from "./text-generation/generator.ts";
export type * from "./text-generation/types.ts";
export { SpeechRecognizer, type SpeechRecognizerOptions, type TranscribedSegment, type TranscribeOptions, type Transcription } from "./speech-recognition/recognizer.ts";
export { SequentialRecommender } from "./recommendation/recommender.ts";
export type { Interactions } from "./recommendation/interactions.ts";
export type * from "./recommendation/types.ts";
export type { DeviceChoice } from "./inference/device.ts";
export { modelTrial } from "./inference/trial.ts";

// Files for other runtimes
export { exportPretrained, type OnnxExportSummary, type OnnxOptions } from "./onnx/export.ts";

// Kernels: what they cost, and which are fastest here
export { profilePretrained, type ModelProfile } from "./profile/profile.ts";
export { tunePretrained, type ModelTuning, type TunePretrainedOptions } from "./profile/tune.ts";
export type { ForwardPassFacts, ForwardPassOptions } from "./profile/forward-pass.ts";

// Baselines
export type { Baseline } from "./baselines/baseline.ts";
export { fitMajority } from "./baselines/majority.ts";
export { fitTfidfLogisticRegression, type TfidfLogisticRegression, type TfidfLogisticRegressionOptions } from "./baselines/tfidf-logistic-regression.ts";
