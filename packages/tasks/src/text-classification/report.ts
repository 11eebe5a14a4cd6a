import { classificationMetrics } from "@heddle/training";
import { labelsOf } from "./labels.ts";
import type { EvaluationReport, LabelledText } from "./types.ts";
import { neverTrainedWarning } from "./warnings.ts";

/**
 * Scores of predicted labels. A label that the model does not know counts as wrong wherever it occurs.
 *
 * @param labels the model's, in its order
 * @param predictions one per row
 */
export function evaluationReport(labels: readonly string[], rows: readonly LabelledText[], predictions: readonly string[]): EvaluationReport {
  const unknown = labelsOf(rows).filter((label) => !labels.includes(label));
  const all = [...labels, ...unknown];
  const ids = new Map(all.map((label, id) => [label, id]));
  const { accuracy, macro, micro, perClass, confusion } = classificationMetrics(
    rows.map(({ label }) => ids.get(String(label))!),
    predictions.map((label) => ids.get(label)!),
    all.length,
    all,
  );
  return {
    numRows: rows.length,
    accuracy,
    f1Macro: macro.f1,
    f1Micro: micro.f1,
    perClass: perClass.map((scores, id) => ({ label: all[id]!, ...scores })),
    confusion: { labels: all, counts: confusion },
    warnings: unknown.length > 0 ? [neverTrainedWarning(unknown, rows, labels)] : [],
  };
}
