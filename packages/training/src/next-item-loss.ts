import { add, cast, concat, crossEntropy, div, embedding, equal, HeddleError, isQuantized, less, linearCrossEntropy, matmul, maximum, mul, neg, reshape, softplus, sum, where, type Tensor } from "@heddle/kernels";
import type { Decoder } from "@heddle/transformer";
import { IGNORE_INDEX } from "./data/dataset.ts";

/**
 * How a model that recommends learns which item comes next.
 *
 * "softmax": against all items. The others against `negatives`, some items drawn for each batch. "sampled-softmax": with each
 * drawn item standing for as many as were left out (logQ correction for uniform draws: Yi et al. 2019, "Sampling-bias-corrected neural
 * modeling"), so that it estimates the softmax over all. "bce": yes or no for each item, SASRec's own loss (Kang & McAuley 2018, section
 * 3.5). "gbce": the same with the positive's probability to the power of `exponent`, which undoes the overconfidence that negative
 * sampling brings (Petrov & Macdonald 2023, "gSASRec", arXiv:2308.07192, equation 12; see `gbceExponent`). In both a score's
 * logit is less by log(negatives / exponent), where one yes weighs as much as all noes while nothing is learnt (a prior as of
 * Lin et al. 2017, arXiv:1708.02002, section 3.3): with 256 negatives all items would first be pushed away, for dozens of epochs.
 */
export type NextItemLoss =
  | { readonly type: "softmax" }
  | { readonly type: "sampled-softmax"; readonly numItems: number }
  | { readonly type: "bce" }
  | { readonly type: "gbce"; readonly exponent: number };

/**
 * gSASRec's β of equation 14.
 *
 * @param calibration its t: 0 is plain "bce", 1 calibrates wholly; the paper's choice is 0.75
 */
export function gbceExponent(numNegatives: number, numItems: number, calibration: number): number {
  const rate = Math.min(1, numNegatives / Math.max(1, numItems - 1));
  return rate * (calibration * (1 - 1 / rate) + 1 / rate);
}

interface ItemLabels {
  /** i32: the item that comes next, or what is ignored; for every place, or for each of `labelPlaces`. */
  readonly labels: Tensor;
  readonly labelPlaces?: Tensor;
  readonly negatives?: Tensor;
}

interface NextItemOptions {
  readonly loss?: NextItemLoss;
  readonly labelSmoothingFactor?: number;
}

/** Below any score. */
const IMPOSSIBLE = -1e9;

/**
 * Mean over the places that have a label: a scalar. Hidden states of other places are not multiplied with items at all where
 * `labelPlaces` is given.
 *
 * @throws INPUT_MISSING for a loss over drawn items without `negatives`; NOT_DIFFERENTIABLE for items in few bits
 */
export function nextItemLoss({ hidden, weight, bias }: Decoder, { labels: wanted, labelPlaces, negatives }: ItemLabels, { loss = { type: "softmax" }, labelSmoothingFactor = 0 }: NextItemOptions = {}): Tensor {
  if (isQuantized(weight)) throw new HeddleError("NOT_DIFFERENTIABLE", `[nextItemLoss] items are held in ${weight.format}, which no step changes: load the model with dtype "float32"`);
  const size = hidden.shape.at(-1)!;
  const all = reshape(hidden, [-1, size]);
  const rows = labelPlaces ? embedding(all, labelPlaces) : all; // [labels, size]
  const labels = reshape(wanted, [-1]);
  if (loss.type === "softmax") return linearCrossEntropy(rows, weight, labels, { ignoreIndex: IGNORE_INDEX, labelSmoothing: labelSmoothingFactor, ...(bias !== undefined && { bias }) });
  if (!negatives) throw new HeddleError("INPUT_MISSING", `[nextItemLoss] ${loss.type} wants negatives, i32 [count]: draw items in the collator, or choose "softmax"`);
  const [[count], [numNegatives]] = [rows.shape, negatives.shape] as [[number], [number]];
  const isLabel = less(-1, cast(labels, "f32")); // [labels]
  const biased = (scores: Tensor, items: Tensor, shape: readonly number[]) => (bias === undefined ? scores : add(scores, reshape(embedding(reshape(bias, [-1, 1]), items), shape)));
  const positive = biased(sum(mul(rows, embedding(weight, labels)), { axes: [1], keepDims: true }), labels, [count, 1]); // [labels, 1]
  const drawn = biased(matmul(rows, embedding(weight, negatives), { transposeB: true }), negatives, [1, numNegatives]); // [labels, negatives]
  // An item that was drawn and is the one that came is no negative.
  const isHit = equal(reshape(labels, [count, 1]), reshape(negatives, [1, numNegatives]));
  const apart = (scores: Tensor) => where(isHit, IMPOSSIBLE, scores);
  if (loss.type === "sampled-softmax") {
    const corrected = add(drawn, Math.log(loss.numItems / numNegatives));
    const first = cast(where(isLabel, 0, IGNORE_INDEX), "i32");
    return crossEntropy(concat([positive, apart(corrected)], 1), first, { ignoreIndex: IGNORE_INDEX, labelSmoothing: labelSmoothingFactor });
  }
  const exponent = loss.type === "gbce" ? loss.exponent : 1;
  const logit = (scores: Tensor) => add(scores, -Math.log(numNegatives / exponent));
  // −log σ(s) = softplus(−s), −log(1 − σ(s)) = softplus(s).
  const losses = add(mul(reshape(softplus(neg(logit(positive))), [count]), exponent), sum(softplus(apart(logit(drawn))), { axes: [1] }));
  return div(sum(mul(losses, isLabel)), maximum(sum(isLabel), 1));
}
