import { add, asTensor, bceWithLogits, broadcastTo, cast, concat, constant, crossEntropy, div, HeddleError, isQuantized, less, linearCrossEntropy, max, maximum, mean, mseLoss, mul, slice, sum, transpose, where, type Tensor, type TensorLike } from "@heddle/kernels";
import type { ModelOutputs } from "@heddle/transformer";
import { IGNORE_INDEX } from "./data/dataset.ts";
import { nextItemLoss, type NextItemLoss } from "./next-item-loss.ts";
import type { Problem } from "./problem.ts";

export interface TaskLossOptions {
  /** Probability mass spread over all classes; for losses over classes. */
  labelSmoothingFactor?: number;
  /** f32 [labels], how much each class counts; for single-label and token classification. */
  classWeights?: TensorLike;
  /** Of a model that recommends; the softmax over all items by default. */
  nextItemLoss?: NextItemLoss;
  /** True: nothing else reads the logits, so those over a vocabulary need not be in memory all at once. */
  lossOnly?: boolean;
}

/** Labels as `collate` names them, inside a trace. */
export interface Labels {
  readonly labels?: Tensor;
  readonly startPositions?: Tensor;
  readonly endPositions?: Tensor;
  /** i32 [labels]: where in [batch · length] the places stand that `labels` i32 [labels] is about. */
  readonly labelPlaces?: Tensor;
  /** i32 [negatives]: classes drawn for this batch. */
  readonly negatives?: Tensor;
}

/**
 * The loss that transformers computes inside the model of this problem: a scalar, the mean over what is not padding.
 *
 * @param attentionMask [batch, length]; rows without a single token count for nothing. undefined: all rows count
 * @throws INPUT_MISSING where the labels or logits that the problem needs are absent
 */
export function taskLoss(problem: Problem, outputs: ModelOutputs, labels: Labels, attentionMask: Tensor | undefined, { labelSmoothingFactor = 0, classWeights, nextItemLoss: lossOfItems, lossOnly = false }: TaskLossOptions = {}): Tensor {
  const unweighted = { ignoreIndex: IGNORE_INDEX, labelSmoothing: labelSmoothingFactor };
  const options = { ...unweighted, ...(classWeights !== undefined && { weight: classWeights }) };
  switch (problem) {
    case "single-label":
    case "token-classification":
    case "seq2seq-lm":
    case "masked-lm": {
      const { decoder } = outputs;
      if (lossOnly && decoder && !isQuantized(decoder.weight) && decoder.softCap === undefined && classWeights === undefined) {
        return linearCrossEntropy(decoder.hidden, decoder.weight, given(labels.labels, "labels"), { ...unweighted, ...(decoder.bias !== undefined && { bias: decoder.bias }) });
      }
      return crossEntropy(given(outputs.logits, "logits"), given(labels.labels, "labels"), options);
    }
    case "next-item":
      return nextItemLoss(given(outputs.decoder, "scores of items"), { ...labels, labels: given(labels.labels, "labels") }, { labelSmoothingFactor, ...(lossOfItems && { loss: lossOfItems }) });
    case "causal-lm":
      return taskLoss("masked-lm", outputs, { labels: nextTokens(given(labels.labels, "labels")) }, attentionMask, { labelSmoothingFactor, lossOnly });
    case "regression":
      return meanOverRows(mseLoss(given(outputs.logits, "logits"), given(labels.labels, "labels"), { reduction: "none" }), attentionMask);
    case "multi-label":
      return meanOverRows(bceWithLogits(given(outputs.logits, "logits"), given(labels.labels, "labels"), { reduction: "none" }), attentionMask);
    case "question-answering": {
      const position = (positions: Tensor, logits: Tensor) => crossEntropy(logits, ignoreFrom(positions, logits.shape[1]!), options);
      const start = position(given(labels.startPositions, "startPositions"), given(outputs.startLogits, "startLogits"));
      const end = position(given(labels.endPositions, "endPositions"), given(outputs.endLogits, "endLogits"));
      return mul(add(start, end), 0.5);
    }
  }
}

/**
 * How well each image finds its own text among all and each text its image: CLIP's loss (Radford et al. 2021, arXiv:2103.00020,
 * figure 3).
 *
 * @param logitsPerImage f32 [pairs, pairs], pairs on the diagonal
 */
export function contrastiveLoss(logitsPerImage: Tensor): Tensor {
  const [images, texts] = logitsPerImage.shape as [number, number];
  if (images !== texts) throw new HeddleError("SHAPE_MISMATCH", `[contrastiveLoss] wants as many texts as images, got ${texts} and ${images}`);
  const own = asTensor({ shape: [images], data: Int32Array.from({ length: images }, (_, i) => i) });
  return mul(add(crossEntropy(logitsPerImage, own), crossEntropy(transpose(logitsPerImage, [1, 0]), own)), 0.5);
}

/** What comes after each token: labels i32 [batch, length], one place to the left, and nothing after the last. */
function nextTokens(labels: Tensor): Tensor {
  const [batch] = labels.shape as [number];
  return concat([slice(labels, { axis: 1, begin: 1 }), broadcastTo(constant(IGNORE_INDEX, "i32"), [batch, 1])], 1);
}

/** Mean over the rows that have tokens. losses [batch, labels] → scalar. */
function meanOverRows(losses: Tensor, attentionMask: Tensor | undefined): Tensor {
  if (!attentionMask) return mean(losses);
  const isRow = max(cast(attentionMask, "f32"), { axes: [1] }); // [batch]
  const perRow = mean(losses, { axes: [1] });
  return div(sum(mul(perRow, isRow)), maximum(sum(isRow), 1));
}

/** Answers cut off by truncation have no position: they are ignored, as transformers does. positions i32 [batch] → same. */
function ignoreFrom(positions: Tensor, length: number): Tensor {
  const asFloats = cast(positions, "f32"); // positions are far below 2²⁴, so exact
  return cast(where(less(asFloats, length), asFloats, IGNORE_INDEX), "i32");
}

function given<T>(tensor: T | undefined, name: string): T {
  if (!tensor) throw new HeddleError("INPUT_MISSING", `[taskLoss] ${name} are missing: give every row a label, and use a model with a head for the task`);
  return tensor;
}
