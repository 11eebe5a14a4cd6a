import { HeddleError } from "@heddle/kernels";
import type { Model } from "@heddle/transformer";

/** What a model learns: decides its labels, its loss and its predictions. */
export type Problem = "single-label" | "multi-label" | "regression" | "token-classification" | "masked-lm" | "causal-lm" | "seq2seq-lm" | "question-answering" | "next-item";

/** Whether there is a label, and a prediction, for each token or item. */
export const isPerToken = (problem: Problem): boolean => problem === "token-classification" || problem === "masked-lm" || problem === "causal-lm" || problem === "seq2seq-lm" || problem === "next-item";

/**
 * The problem of a model, as transformers decides it: the head, and for sequence classification `problem_type` in
 * config.json; where that is absent one label means regression. Throws INVALID_ARGUMENT for a model without a head.
 */
export function problemOf({ architecture, config }: Pick<Model, "architecture" | "config">): Problem {
  switch (architecture.head) {
    case "token-classification":
    case "masked-lm":
    case "causal-lm":
    case "seq2seq-lm":
    case "question-answering":
    case "next-item":
      return architecture.head;
    case "image-classification":
    case "sequence-classification":
      if (config.problemType === "multi_label_classification") return "multi-label";
      if (config.problemType === "regression" || (config.problemType === undefined && config.numLabels === 1)) return "regression";
      return "single-label";
    case "none":
      throw new HeddleError("INVALID_ARGUMENT", `[${architecture.name}] has no head, so nothing to learn; load it as a model for a task, such as sequence classification`);
  }
}
