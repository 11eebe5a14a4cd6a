export { HeddleError, type Device, type ErrorCode } from "@heddle/kernels";

// Data
export { readTable, type ReadTableOptions, type Table, type TableFormat, type TableRow } from "./data/table.ts";
export { readTableFile } from "./data/table-file.ts";
export { labelledTexts, texts, type SelectedTexts } from "./data/select.ts";
export type { RowProblem } from "./data/records.ts";
export type { TableSource } from "./data/decode.ts";

// Text classification
export type {
  Classification,
  ClassifyOptions,
  ClassScores,
  DeviceChoice,
  EvaluationReport,
  FitCheckpointEvent,
  FitEvaluationEvent,
  FitEvent,
  FitOptions,
  FitPhaseEvent,
  FitPlanEvent,
  FitStepEvent,
  FitSummary,
  LabelledText,
  LoadOptions,
  ModelSource,
  TrainingOverrides,
  WarningCode,
  WarningEvent,
} from "./text-classification/types.ts";
