import { HeddleError, reshape, sigmoid, softmax, topK, type Tensor } from "@heddle/kernels";
import type { ModelConfig } from "@heddle/transformer";
import type { Finish } from "../inference/text-runner.ts";

/** What turns logits into scores. */
export type FunctionToApply = "softmax" | "sigmoid" | "none";

/** transformers' rule: sigmoid where each label stands for itself, softmax where they compete. */
export function defaultFunctionToApply({ problemType, numLabels }: ModelConfig): FunctionToApply {
  if (problemType === "regression") return "none";
  return problemType === "multi_label_classification" || numLabels === 1 ? "sigmoid" : "softmax";
}

/** The k best labels of each text, chosen on the device. */
export function bestLabels(k: number, functionToApply: FunctionToApply): Finish {
  return ({ logits }) => labelScores(logits!, k, functionToApply);
}

/** Of logits [batch, labels] the k best: `scores` f32 and `ids` i32 [batch, k]. */
export function labelScores(logits: Tensor, k: number, functionToApply: FunctionToApply): { readonly scores: Tensor; readonly ids: Tensor } {
  const apply = { softmax, sigmoid, none: (plain: Tensor) => reshape(plain, plain.shape) }[functionToApply];
  const { values, indices } = topK(apply(logits), k);
  return { scores: values, ids: indices };
}

export function checkTopK(topK: number | null, numLabels: number): number {
  if (topK === null) return numLabels;
  if (!Number.isInteger(topK) || topK < 1) throw new HeddleError("INVALID_ARGUMENT", `[classify] topK is ${topK}: pass a whole number of at least 1, or null for all labels`);
  return Math.min(topK, numLabels);
}
