import { add, cast, div, less, matmul, maximum, mul, reshape, silu, sub, transpose, type Tensor } from "@heddle/kernels";
import type { HSTUConfig } from "../config/hstu.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { embedding } from "../nn/embedding.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { mergeHeads, splitHeads } from "../nn/heads.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { textDistances } from "../nn/relative-positions.ts";
import type { Scope } from "../nn/scope.ts";
import { historyEmbeddings, isItem, scoresOfItems } from "./sasrec.ts";

// HSTU (Zhai et al. 2024, "Actions Speak Louder than Words", arXiv:2402.17152, section 3): units of one kind, whose attention is not a
// distribution over the items before but a sum of as much as each has to say, so that how often something was touched shows. Of the
// relative attention bias it has the part of places, not that of times.

interface Places {
  /** What attention is multiplied with: 1 / n of a whole window of n where a query sees a key, else 0. f32 [batch, 1, length, length]. */
  readonly shares: Tensor;
  /** How many places each key stands before each query, 0 for those after it: i32 [1, length, length]. */
  readonly distances: Tensor;
}

function placesOf({ inputIds }: Pick<EncoderInputs, "inputIds">, { maxPositionEmbeddings, padTokenId }: HSTUConfig): Places {
  const [batch, length] = inputIds.shape as [number, number];
  const ahead = textDistances(length);
  const isBefore = reshape(less(ahead, 0.5), [1, 1, length, length]);
  const isSeen = mul(isBefore, reshape(isItem(inputIds, padTokenId), [batch, 1, 1, length]));
  return { shares: div(isSeen, maxPositionEmbeddings), distances: cast(maximum(sub(0, ahead), 0), "i32") };
}

/** Equations 1 to 3. x [batch, length, hidden] → same. */
function unit(scope: Scope, config: HSTUConfig, x: Tensor, { shares, distances }: Places, mode: ForwardMode): Tensor {
  const { hiddenSize: outputSize, numAttentionHeads, maxPositionEmbeddings, layerNormEps, initializerRange, hiddenDropoutProb, attentionProbsDropoutProb } = config;
  const [, length] = x.shape as [number, number];
  const normed = layerNorm(scope.in("input_norm"), x, layerNormEps);
  const project = (name: string) => linear(scope.in(name), normed, { outputSize, activation: "silu", initializerRange });
  const byHead = (projected: Tensor) => transpose(splitHeads(projected, numAttentionHeads), [0, 2, 1, 3]); // [batch, heads, length, headDim]
  const [gate, value, query, key] = ["gate", "value", "query", "key"].map(project) as [Tensor, Tensor, Tensor, Tensor];
  const bias = reshape(embedding(scope.in("relative_bias"), distances, { count: maxPositionEmbeddings, size: 1, initializerRange }), [1, 1, length, length]);
  const scores = add(matmul(byHead(query), byHead(key), { transposeB: true }), bias); // [batch, heads, length, length]
  const attention = dropout(mul(silu(scores), shares), attentionProbsDropoutProb, mode);
  const context = mergeHeads(transpose(matmul(attention, byHead(value)), [0, 2, 1, 3]));
  const gated = mul(layerNorm(scope.in("attention_norm"), context, layerNormEps), gate);
  return add(x, linear(scope.in("output"), dropout(gated, hiddenDropoutProb, mode), { outputSize, initializerRange }));
}

/** Hidden states [batch, length, hidden]: the embeddings' and every unit's; the last one normalised where the model has a last norm. */
export function hstuModel(scope: Scope, config: HSTUConfig, inputs: Pick<EncoderInputs, "inputIds">, mode: ForwardMode): EncoderOutputs {
  const places = placesOf(inputs, config);
  const embedded = historyEmbeddings(scope, { ...config, scaleEmbeddings: true, embeddingNorm: false, positionEmbeddingType: "learned", attendToPadding: false }, inputs.inputIds, mode);
  const hiddenStates = [embedded];
  for (let i = 0; i < config.numHiddenLayers; i++) hiddenStates.push(unit(scope.in("layers").in(i), config, hiddenStates.at(-1)!, places, mode));
  const last = hiddenStates.at(-1)!;
  return { hiddenStates, lastHiddenState: config.finalNorm ? layerNorm(scope.in("norm"), last, config.layerNormEps) : last };
}

/** How well each item would come next at each place, by its own embedding. logits [batch, length, vocabulary]. */
export function hstuForNextItem(scope: Scope, config: HSTUConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  return scoresOfItems(scope, config, hstuModel(scope, config, inputs, mode));
}
