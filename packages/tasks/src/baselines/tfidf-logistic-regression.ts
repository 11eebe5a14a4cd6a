import { requireTwoLabels } from "../text-classification/labels.ts";
import { evaluationReport } from "../text-classification/report.ts";
import type { LabelledText } from "../text-classification/types.ts";
import type { Baseline } from "./baseline.ts";
import { minimize } from "./lbfgs.ts";
import { ngrams } from "./ngrams.ts";
import { fitTfidf, tfidfRows, type SparseRows } from "./tfidf.ts";

export interface TfidfLogisticRegressionOptions {
  /** Inverse strength of the L2 penalty, scikit-learn's `C`. Default 10, which suits rows of length 1. */
  readonly C?: number;
}

export interface TfidfLogisticRegression extends Baseline {
  /** Probabilities of `labels` for each text. */
  predictProba(texts: readonly string[]): number[][];
  readonly labels: readonly string[];
}

/** Of the mean loss's gradient. */
const TOLERANCE = 1e-5;
const MAX_ITERATIONS = 1000;

/**
 * TF-IDF over word 1–2-grams (character 1–3-grams of Chinese and Japanese) with softmax regression under an L2 penalty,
 * trained until the gradient vanishes: the baseline that a small Transformer has to beat honestly. Deterministic.
 * Same numbers as scikit-learn's `LogisticRegression(C)` on the same features.
 */
export function fitTfidfLogisticRegression(rows: readonly LabelledText[], { C = 10 }: TfidfLogisticRegressionOptions = {}): TfidfLogisticRegression {
  const labels = requireTwoLabels("fitTfidfLogisticRegression", rows);
  const documents = rows.map(({ text }) => ngrams(text));
  const tfidf = fitTfidf(documents);
  const classOf = new Map(labels.map((label, id) => [label, id]));
  const weights = fitWeights(tfidfRows(tfidf, documents), Int32Array.from(rows, ({ label }) => classOf.get(String(label))!), labels.length, C);
  const predictProba = (texts: readonly string[]): number[][] => {
    const features = tfidfRows(tfidf, texts.map(ngrams));
    return texts.map((_, row) => {
      const scores = new Float64Array(labels.length);
      probabilities(features, row, weights, scores);
      return [...scores];
    });
  };
  const predict = (texts: readonly string[]): string[] => predictProba(texts).map((scores) => labels[scores.indexOf(Math.max(...scores))]!);
  return { labels, predictProba, predict, evaluate: (evalRows) => evaluationReport(labels, evalRows, predict(evalRows.map(({ text }) => text))) };
}

/** Two classes need one score, as in scikit-learn: the penalty on two would be another one. */
function outputsFor(numLabels: number): number {
  return numLabels === 2 ? 1 : numLabels;
}

/** [outputs, numColumns + 1]; the last column holds the intercepts, which no penalty touches. */
function fitWeights(features: SparseRows, classes: Int32Array, numLabels: number, C: number): Float64Array {
  const outputs = outputsFor(numLabels);
  const { numRows, numColumns, starts, indices, values } = features;
  const stride = numColumns + 1;
  const penalty = 1 / (C * numRows);
  const scores = new Float64Array(numLabels);
  const objective = (weights: Float64Array, gradient: Float64Array): number => {
    let loss = 0;
    gradient.fill(0);
    for (let row = 0; row < numRows; row++) {
      probabilities(features, row, weights, scores);
      const label = classes[row]!;
      loss -= Math.log(Math.max(scores[label]!, Number.MIN_VALUE)) / numRows;
      for (let output = 0; output < outputs; output++) {
        const id = outputs === 1 ? 1 : output;
        const error = (scores[id]! - (label === id ? 1 : 0)) / numRows;
        for (let i = starts[row]!, end = starts[row + 1]!; i < end; i++) gradient[output * stride + indices[i]!]! += error * values[i]!;
        gradient[output * stride + numColumns]! += error;
      }
    }
    for (let i = 0; i < weights.length; i++) {
      if (i % stride === numColumns) continue;
      loss += 0.5 * penalty * weights[i]! * weights[i]!;
      gradient[i]! += penalty * weights[i]!;
    }
    return loss;
  };
  return minimize(objective, new Float64Array(stride * outputs), { tolerance: TOLERANCE, maxIterations: MAX_ITERATIONS });
}

/** Softmax of a row's scores into `result`, one per label; with two labels the first one's score is 0. */
function probabilities({ numColumns, starts, indices, values }: SparseRows, row: number, weights: Float64Array, result: Float64Array): void {
  const stride = numColumns + 1;
  const outputs = weights.length / stride;
  result[0] = 0;
  const shift = result.length - outputs;
  let top = shift === 1 ? 0 : -Infinity;
  for (let output = 0; output < outputs; output++) {
    let score = weights[output * stride + numColumns]!;
    for (let i = starts[row]!, end = starts[row + 1]!; i < end; i++) score += weights[output * stride + indices[i]!]! * values[i]!;
    result[output + shift] = score;
    if (score > top) top = score;
  }
  let total = 0;
  for (let id = 0; id < result.length; id++) total += result[id] = Math.exp(result[id]! - top);
  for (let id = 0; id < result.length; id++) result[id]! /= total;
}
