export { HeddleError, type Device, type ErrorCode } from "@heddle/kernels";

// Data
export type { ReadTableOptions, RowProblem, Table, TableFormat, TableRow } from "./data/table.ts";

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
