import type { Problem } from "../problem.ts";
import { classificationMetrics, multiLabelMetrics } from "./classification.ts";

/** What a metric sees: everything predicted, beside everything labelled. */
export interface EvaluationPredictions {
  readonly problem: Problem;
  readonly numLabels: number;
  /**
   * Class ids (single-label: one a row; token classification and language models: one a labelled token; question-answering:
   * start and end), 0 or 1 a label (multi-label), or values (regression); row after row.
   */
  readonly predictions: Int32Array | Float32Array;
  readonly labels: Int32Array | Float32Array;
}

export type Metrics = Readonly<Record<string, number>>;
export type ComputeMetrics = (evaluation: EvaluationPredictions) => Metrics;

/** The usual numbers of each problem, for a Trainer without `computeMetrics` of its own. */
export function defaultMetrics({ problem, numLabels, predictions, labels }: EvaluationPredictions): Metrics {
  switch (problem) {
    case "single-label":
    case "token-classification": {
      const { accuracy, macro, micro } = classificationMetrics(labels, predictions, numLabels);
      return { accuracy, precisionMacro: macro.precision, recallMacro: macro.recall, f1Macro: macro.f1, f1Micro: micro.f1 };
    }
    case "multi-label": {
      const { accuracy, macro, micro } = multiLabelMetrics(labels, predictions, numLabels);
      return { accuracy, precisionMicro: micro.precision, recallMicro: micro.recall, f1Macro: macro.f1, f1Micro: micro.f1 };
    }
    case "masked-lm":
    case "next-item":
    case "causal-lm":
    case "seq2seq-lm":
      return { accuracy: share(labels, (label, i) => label === predictions[i]) };
    case "question-answering":
      return { exactMatch: exactSpans(labels, predictions) };
    case "regression":
      return {
        meanSquaredError: share(labels, (label, i) => (label - predictions[i]!) ** 2),
        meanAbsoluteError: share(labels, (label, i) => Math.abs(label - predictions[i]!)),
      };
  }
};

function share(values: ArrayLike<number>, of: (value: number, index: number) => number | boolean): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += Number(of(values[i]!, i));
  return values.length === 0 ? 0 : total / values.length;
}

function exactSpans(labels: ArrayLike<number>, predictions: ArrayLike<number>): number {
  const rows = labels.length / 2;
  let exact = 0;
  for (let row = 0; row < rows; row++) {
    if (labels[2 * row] === predictions[2 * row] && labels[2 * row + 1] === predictions[2 * row + 1]) exact++;
  }
  return rows === 0 ? 0 : exact / rows;
}
