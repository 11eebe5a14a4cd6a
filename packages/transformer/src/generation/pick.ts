import { add, argmax, cast, crossEntropy, cumulativeSum, div, embedding, exp, less, log, max, maximum, mul, neg, pad, reshape, slice, sub, sum, topK as largest, where, type RunInputs, type Tensor } from "@heddle/kernels";
import { places } from "../nn/position-ids.ts";
import type { ResolvedOptions } from "./options.ts";
import { uniform } from "./random.ts";
import type { Pick } from "./session.ts";

// The next token of each row, chosen on the device: only its number comes back.

/** Below any score, and far from infinity. */
export const NEVER = -1e30;

/** What a draw needs beside the logits, for `rows` texts at step `step`. */
export function pickInputs({ temperature, topP, minP, seed }: ResolvedOptions, rows: number, step: number): RunInputs {
  if (temperature === 0) return {};
  const draws = Float32Array.from({ length: rows }, (_, row) => uniform(seed, step, row));
  return { temperature, draws: { shape: [rows, 1], data: draws }, ...(topP < 1 && { topP }), ...(minP > 0 && { minP }) };
}

/**
 * The rule that options describe. Inputs by name: `bias` f32 [rows, vocabulary], added to the scores; `repeated` f32
 * [rows, vocabulary] of 0 and 1 with `repetitionPenalty`; those of `pickInputs`. Outputs `token` i32 [rows] and, where asked for,
 * `logProbability` f32 [rows].
 */
export function pickOf({ temperature, topK, topP, minP, repetitionPenalty, logProbabilities }: ResolvedOptions): Pick {
  const draws = temperature > 0;
  const name = [draws ? "draw" : "greedy", draws && topK > 0 && `top ${topK}`, draws && topP < 1 && "top p", draws && minP > 0 && "min p", repetitionPenalty !== 1 && "penalty", logProbabilities && "log p"].filter(Boolean).join(", ");
  return {
    name,
    choose(logits, inputs) {
      const scores = penalized(logits, inputs);
      const token = draws ? draw(filtered(div(scores, inputs["temperature"]!), topK, inputs), inputs["draws"]!) : argmax(scores);
      return {
        token,
        // A class's cross-entropy is what its log-probability lacks to 0.
        ...(logProbabilities && { logProbability: neg(crossEntropy(logits, token, { reduction: "none" })) }),
      };
    },
  };
}

/** Scores after penalties and rules. logits [rows, vocabulary] → same. */
export function penalized(logits: Tensor, { repeated, repetitionPenalty: penalty, bias }: Readonly<Record<string, Tensor>>): Tensor {
  const repelled = repeated && penalty ? where(repeated, where(less(logits, 0), mul(logits, penalty), div(logits, penalty)), logits) : logits;
  return bias ? add(repelled, bias) : repelled;
}

function filtered(scores: Tensor, topK: number, { topP, minP }: Readonly<Record<string, Tensor>>): Tensor {
  const vocabulary = scores.shape[1]!;
  let kept = scores;
  const keepFrom = (least: Tensor) => (kept = where(less(kept, least), NEVER, kept));
  if (topK > 0 && topK < vocabulary) keepFrom(slice(largest(scores, topK).values, { axis: 1, begin: -1 }));
  if (topP) keepFrom(nucleusBound(kept, topP));
  if (minP) keepFrom(add(max(kept, { axes: [1], keepDims: true }), log(minP)));
  return kept;
}

/** Scores below the best by more than this have no part in any sum. */
const WIDEST = 88;
/** Halvings until the bound is as fine as the scores themselves. */
const HALVINGS = 32;

/** The greatest bound above which the tokens still have probability `topP` together: found by halving, as a sort is not needed. [rows, 1] */
function nucleusBound(scores: Tensor, topP: Tensor): Tensor {
  const best = max(scores, { axes: [1], keepDims: true });
  const weights = exp(sub(scores, best));
  const wanted = mul(sum(weights, { axes: [1], keepDims: true }), topP);
  let low = sub(best, WIDEST);
  let width = WIDEST;
  for (let i = 0; i < HALVINGS; i++) {
    width /= 2;
    const middle = add(low, width);
    const above = sum(where(less(scores, middle), 0, weights), { axes: [1], keepDims: true });
    low = where(less(above, wanted), low, middle);
  }
  return low;
}

const BLOCK = 512;

/**
 * The token at which the probabilities, added up in order, reach the draw: blocks first, then within one, so that sums stay exact
 * and short.
 *
 * @param draws uniform in (0, 1], f32 [rows, 1]
 * @returns i32 [rows]
 */
function draw(scores: Tensor, draws: Tensor): Tensor {
  const [rows, vocabulary] = scores.shape as [number, number];
  const blocks = Math.ceil(vocabulary / BLOCK);
  const weights = exp(sub(scores, max(scores, { axes: [1], keepDims: true })));
  const byBlock = reshape(pad(weights, { axis: 1, after: blocks * BLOCK - vocabulary }), [rows, blocks, BLOCK]);
  const ofBlocks = sum(byBlock, { axes: [2] }); // [rows, blocks]
  const upTo = cumulativeSum(ofBlocks);
  const total = slice(upTo, { axis: 1, begin: -1 });
  const target = mul(total, draws);
  const block = sum(less(upTo, target), { axes: [1], keepDims: true }); // [rows, 1]
  const before = sum(mul(ofBlocks, less(places(blocks), block)), { axes: [1], keepDims: true });
  const chosen = cast(add(mul(reshape(places(rows), [rows, 1]), blocks), block), "i32");
  const inside = cumulativeSum(reshape(embedding(reshape(byBlock, [rows * blocks, BLOCK]), chosen), [rows, BLOCK]));
  // Rounding must not lead out of the block, nor to a token that cannot be.
  const rest = maximum(atMost(sub(target, before), slice(inside, { axis: 1, begin: -1 })), 1e-30);
  return cast(reshape(add(mul(block, BLOCK), sum(less(inside, rest), { axes: [1], keepDims: true })), [rows]), "i32");
}

const atMost = (a: Tensor, b: Tensor) => where(less(b, a), b, a);
