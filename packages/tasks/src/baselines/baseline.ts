import type { EvaluationReport, LabelledText } from "../text-classification/types.ts";

/** A simple classifier to compare a model with. */
export interface Baseline {
  predict(texts: readonly string[]): string[];
  evaluate(rows: readonly LabelledText[]): EvaluationReport;
}
