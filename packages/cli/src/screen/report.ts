import type { EvaluationReport } from "@heddle/tasks";
import type { Screen } from "../session/terminal.ts";
import { count, percent } from "./format.ts";
import { columns } from "./table.ts";

const MAX_CONFUSION_CLASSES = 12;

/** How good a classifier is, class by class. */
export function renderReport(report: EvaluationReport, { colors }: Screen): string {
  const perClass = columns([
    ["label", "precision", "recall", "F1", "rows"].map((name) => colors.dim(name)),
    ...report.perClass.map(({ label, precision, recall, f1, support }) => [label, percent(precision), percent(recall), percent(f1), count(support)]),
  ]);
  return `${perClass}${renderConfusion(report.confusion, colors)}`;
}

/** Empty where the table would be too wide to read. */
function renderConfusion({ labels, counts }: EvaluationReport["confusion"], colors: Screen["colors"]): string {
  if (labels.length > MAX_CONFUSION_CLASSES) return "";
  const header = [colors.dim("actual ↓ · predicted →"), ...labels];
  const body = labels.map((label, actual) => [label, ...counts[actual]!.map((value, predicted) => (actual === predicted ? colors.green(count(value)) : value === 0 ? colors.dim("·") : count(value)))]);
  return `\n${columns([header, ...body])}`;
}

/** The numbers of a report as JSON has them. */
export function reportJson({ numRows, accuracy, f1Macro, f1Micro, perClass, confusion, warnings }: EvaluationReport): object {
  return { accuracy, f1Macro, f1Micro, numRows, perClass, confusion, warnings: warnings.map(({ code, message }) => ({ code, message })) };
}
