export { HeddleError, listDevices, openDevice, toChromeTrace, type ChromeTrace, type Device, type DeviceName, type ErrorCode, type OpenDeviceOptions, type ProfileReport, type TuneEvent, type TuneResult } from "@heddle/kernels";
export { defaultTrainingArguments, type TrainingArguments } from "@heddle/training";
export { LOAD_DTYPES, lockFolder, ONNX_DTYPES, readWav, type ChatMessage, type DownloadProgress, type HubAccess, type JsonSchema, type LoadDtype, type LoadProgress, type OutputSchema, type PushedCommit, type PushOptions, type UploadProgress, type Sound, type FolderLock, type ModelFolderSource, type OnnxDtype, type RgbImage, type WrittenFile } from "@heddle/transformer";

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
  type FillMaskPipeline,
  type ImageClassificationPipeline,
  type PipelineTask,
  type QuestionAnsweringPipeline,
  type Text2TextPipeline,
  type TextClassificationPipeline,
  type TextClassificationPipelineOptions,
  type TokenClassificationPipeline,
  type ZeroShotClassificationPipeline,
  type ZeroShotImageClassificationPipeline,
} from "./pipeline.ts";
export { TextClassifier } from "./text-classification/classifier.ts";
export type * from "./text-classification/types.ts";
export type { FunctionToApply } from "./text-classification/scores.ts";
export { FeatureExtractor, type FeatureExtractorOptions } from "./feature-extraction/extractor.ts";
export type { Pooling, PoolingChoice } from "./feature-extraction/pooling.ts";
export { TokenClassifier } from "./token-classification/classifier.ts";
export type * from "./token-classification/types.ts";
export { QuestionAnswerer } from "./question-answering/answerer.ts";
export type * from "./question-answering/types.ts";
export { MaskFiller, type FilledMask, type FillMaskOptions } from "./fill-mask/filler.ts";
export { Text2TextGenerator, type Text2TextLoadOptions, type Text2TextOptions, type Text2TextStreamOptions, type WrittenText } from "./text2text-generation/generator.ts";
export { ZeroShotClassifier, type ZeroShotClassification, type ZeroShotOptions } from "./zero-shot-classification/classifier.ts";
export { ImageClassifier, type ImageClassificationOptions } from "./image-classification/classifier.ts";
export { ZeroShotImageClassifier, type ZeroShotImageOptions } from "./zero-shot-image-classification/classifier.ts";
export type { ImageLoadOptions } from "./inference/open-image-model.ts";
export { TextGenerator } from "./text-generation/generator.ts";
export type * from "./text-generation/types.ts";
export { SpeechRecognizer, type SpeechRecognizerOptions, type TranscribedSegment, type TranscribeOptions, type Transcription } from "./speech-recognition/recognizer.ts";
export type { DeviceChoice } from "./inference/device.ts";
export type { LoadingOptions } from "./inference/loading.ts";
export type { LoadOptions } from "./inference/open-runner.ts";
export { modelTrial } from "./inference/trial.ts";
export { readModelType } from "./inference/model-type.ts";

// Recommendation
export { SequentialRecommender } from "./recommendation/recommender.ts";
export { RECOMMENDER_MODELS, type RecommenderModel } from "./recommendation/families.ts";
export type * from "./recommendation/types.ts";
export type { ItemFeatures, UnknownFeatures } from "./recommendation/item-features.ts";
export type * from "./recommendation/update/types.ts";
export type { JournalReport } from "./recommendation/update/journal.ts";

// Recommendation: who touched what
export type { Interactions } from "./recommendation/interactions.ts";
export { readInteractions, type ReadInteractions, type ReadInteractionsOptions } from "./recommendation/data/read.ts";
export { readInteractionsFile, type ReadInteractionsFileOptions } from "./recommendation/data/read-file.ts";
export { interactionsFromEvents, type InteractionEvent } from "./recommendation/data/from-events.ts";
export { describeInteractions, type InteractionReport } from "./recommendation/data/report.ts";
export { kCore } from "./recommendation/data/k-core.ts";
export { readItemFeatures, readItemFeaturesFile, type ReadItemFeatures, type ReadItemFeaturesOptions } from "./recommendation/data/item-table.ts";
export type { InteractionColumns } from "./recommendation/data/columns.ts";
export type { InteractionRules } from "./recommendation/data/rules.ts";
export type { LineFormat } from "./recommendation/data/id-lines.ts";
export type { TimeUnit } from "./recommendation/data/times.ts";

// Recommendation: what came next, and how well it is foreseen
export type { RankingQuery, Split } from "./recommendation/split/split.ts";
export { beforeLast, leaveOneOut } from "./recommendation/split/leave-one-out.ts";
export { temporalSplit, type TemporalSplitOptions } from "./recommendation/split/temporal.ts";
export { checkLeakage, type Leakage } from "./recommendation/split/leakage.ts";
export { evaluateRecommender, type EvaluateRecommenderOptions, type RecommenderEvaluation } from "./recommendation/evaluation/evaluate.ts";
export type { ItemRanker, ItemScorer, RankedTargets, RankRequest } from "./recommendation/evaluation/recommender.ts";
export type { MeasureKey, Measures, SegmentMeasures } from "./recommendation/evaluation/segments.ts";
export type { ItemSimilarity, ListQualities } from "./recommendation/evaluation/lists.ts";
export type { BootstrapOptions, Interval } from "./recommendation/evaluation/bootstrap.ts";
export { fitPopularity } from "./recommendation/baselines/popularity.ts";
export { fitRecency, type RecencyOptions } from "./recommendation/baselines/recency.ts";
export { fitItemKnn, type ItemKnnOptions } from "./recommendation/baselines/item-knn.ts";
export { fitEase, type EaseOptions } from "./recommendation/baselines/ease.ts";
export { fitBaselines, type FittedBaselines } from "./recommendation/baselines/fit-baselines.ts";
export { compareRecommenders, describeComparison, type BaselineVerdict, type CompareOptions, type RecommenderComparison } from "./recommendation/evaluation/compare.ts";
export { fitMarkov } from "./recommendation/baselines/markov.ts";

// Files for other runtimes
export { exportPretrained, type ExportPretrainedOptions, type OnnxExportSummary, type OnnxOptions } from "./onnx/export.ts";

// Kernels: what they cost, and which are fastest here
export { profilePretrained, type ModelProfile } from "./profile/profile.ts";
export { tunePretrained, type ModelTuning, type TunePretrainedOptions } from "./profile/tune.ts";
export type { ForwardPassFacts, ForwardPassOptions } from "./profile/forward-pass.ts";

// Baselines
export type { Baseline } from "./baselines/baseline.ts";
export { fitMajority } from "./baselines/majority.ts";
export { fitTfidfLogisticRegression, type TfidfLogisticRegression, type TfidfLogisticRegressionOptions } from "./baselines/tfidf-logistic-regression.ts";
