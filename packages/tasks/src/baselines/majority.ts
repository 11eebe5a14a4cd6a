import { evaluationReport } from "../text-classification/report.ts";
import { labelsOf, requireTwoLabels } from "../text-classification/labels.ts";
import type { Baseline } from "./baseline.ts";
import type { LabelledText } from "../text-classification/types.ts";

/** Always answers the most frequent training label: the least that a classifier has to beat. */
export function fitMajority(rows: readonly LabelledText[]): Baseline {
  requireTwoLabels("fitMajority", rows);
  const label = mostFrequentLabel(rows);
  return {
    predict: (texts) => texts.map(() => label),
    evaluate: (evalRows) => evaluationReport(labelsOf(rows), evalRows, evalRows.map(() => label)),
  };
}

/** Of equally frequent labels the first in the order of `labelsOf`. */
export function mostFrequentLabel(rows: readonly LabelledText[]): string {
  const counts = new Map(labelsOf(rows).map((label) => [label, 0]));
  for (const { label } of rows) counts.set(String(label), counts.get(String(label))! + 1);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0];
}
