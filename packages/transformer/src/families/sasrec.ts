import { add, asTensor, cast, embedding as rowsOf, equal, mul, reshape, rotaryTable, slice, sub, type Tensor, type TensorLike } from "@heddle/kernels";
import type { SASRecConfig } from "../config/sasrec.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { causalAttention, type CausalPlace } from "../nn/causal-attention.ts";
import { embedding } from "../nn/embedding.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { splitHeads } from "../nn/heads.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { places } from "../nn/position-ids.ts";
import { normal, type Scope } from "../nn/scope.ts";
import { vocabularyScores } from "../nn/vocabulary-scores.ts";

// SASRec (Kang & McAuley 2018, arXiv:1808.09781): a causal Transformer over the items that a user touched. Users' histories are
// padded on the left, so that the newest item always stands at the last place.

/** 1 for items, 0 for padding, f32 [batch, length]. */
export const isItem = (inputIds: Tensor, padTokenId: number): Tensor => sub(1, equal(cast(inputIds, "f32"), padTokenId));

/** Of a history's embeddings. */
type HistoryOptions = Pick<SASRecConfig, "vocabSize" | "hiddenSize" | "maxPositionEmbeddings" | "initializerRange" | "layerNormEps" | "scaleEmbeddings" | "padTokenId" | "attendToPadding" | "positionEmbeddingType" | "embeddingNorm" | "hiddenDropoutProb">;

/** The newest `length` rows of the table of positions; row 0 for padding where that is attended to. [1 or batch, length, size]. */
function positions(table: TensorLike, inputIds: Tensor, { maxPositionEmbeddings, hiddenSize, attendToPadding, padTokenId }: HistoryOptions): Tensor {
  const [, length] = inputIds.shape as [number, number];
  const first = maxPositionEmbeddings - length;
  if (!attendToPadding) return reshape(slice(table, { axis: 0, begin: first, end: maxPositionEmbeddings }), [1, length, hiddenSize]);
  const slots = reshape(add(places(length), first + 1), [1, length]);
  return rowsOf(table, cast(mul(slots, isItem(inputIds, padTokenId)), "i32"));
}

/** Items and where they stand. inputIds [batch, length] → [batch, length, hidden]. */
export function historyEmbeddings(scope: Scope, config: HistoryOptions, inputIds: Tensor, mode: ForwardMode): Tensor {
  const { vocabSize: count, hiddenSize: size, maxPositionEmbeddings, initializerRange, layerNormEps, scaleEmbeddings, padTokenId, attendToPadding } = config;
  const items = embedding(scope.in("item_embeddings"), inputIds, { count, size, initializerRange, paddingIndex: padTokenId });
  const scaled = scaleEmbeddings ? mul(items, Math.sqrt(size)) : items;
  const rows = maxPositionEmbeddings + (attendToPadding ? 1 : 0);
  const placed = config.positionEmbeddingType === "rotary" ? scaled : add(scaled, positions(scope.in("position_embeddings").parameter("weight", [rows, size], normal(initializerRange)), inputIds, config));
  return dropout(config.embeddingNorm ? layerNorm(scope.in("embedding_norm"), placed, layerNormEps) : placed, config.hiddenDropoutProb, mode);
}

/** Section 3.2, equations 2 to 4, with queries of x and keys and values of `seen`. Both [batch, length, hidden] → same. */
function attend(scope: Scope, config: SASRecConfig, x: Tensor, seen: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  const { hiddenSize: outputSize, numAttentionHeads, initializerRange, attentionProbsDropoutProb } = config;
  const project = (name: string, from: Tensor) => splitHeads(linear(scope.in(name), from, { outputSize, initializerRange }), numAttentionHeads);
  const context = causalAttention(project("query", x), project("key", seen), project("value", seen), place, mode, { dropout: attentionProbsDropoutProb });
  return dropout(linear(scope.in("output"), context, { outputSize, initializerRange }), config.hiddenDropoutProb, mode);
}

/** Equation 5: the same two layers at every place. [batch, length, hidden] → same. */
function feedForward(scope: Scope, config: SASRecConfig, x: Tensor, mode: ForwardMode): Tensor {
  const { hiddenSize: outputSize, intermediateSize, hiddenAct: activation, initializerRange, hiddenDropoutProb } = config;
  const inner = linear(scope.in("inner"), x, { outputSize: intermediateSize, activation, initializerRange });
  return dropout(linear(scope.in("outer"), inner, { outputSize, initializerRange }), hiddenDropoutProb, mode);
}

function block(scope: Scope, config: SASRecConfig, x: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  const attention = (queries: Tensor, seen: Tensor) => attend(scope.in("attention"), config, queries, seen, place, mode);
  const forward = (input: Tensor) => feedForward(scope.in("feed_forward"), config, input, mode);
  const norm = (name: string, input: Tensor) => layerNorm(scope.in(name), input, config.layerNormEps);
  switch (config.normPlacement) {
    case "query": {
      const queries = norm("attention_norm", x);
      const attended = norm("feed_forward_norm", add(queries, attention(queries, x)));
      return add(attended, forward(attended));
    }
    case "pre": {
      const before = norm("attention_norm", x);
      const attended = add(x, attention(before, before));
      return add(attended, forward(norm("feed_forward_norm", attended)));
    }
    case "post": {
      const attended = norm("attention_norm", add(x, attention(x, x)));
      return norm("feed_forward_norm", add(attended, forward(attended)));
    }
  }
}

/** Hidden states [batch, length, hidden]: the embeddings' and every layer's; the last one normalised where the model has a last norm. */
export function sasrecModel(scope: Scope, config: SASRecConfig, { inputIds }: Pick<EncoderInputs, "inputIds">, mode: ForwardMode): EncoderOutputs {
  const { numHiddenLayers, hiddenSize, numAttentionHeads, maxPositionEmbeddings, positionEmbeddingType, ropeTheta: base, attendToPadding, padTokenId, finalNorm, layerNormEps } = config;
  const place: CausalPlace = {
    mask: attendToPadding ? undefined : isItem(inputIds, padTokenId),
    rotary: positionEmbeddingType === "rotary" ? asTensor(rotaryTable({ length: maxPositionEmbeddings, dims: hiddenSize / numAttentionHeads, base })) : undefined,
  };
  const hiddenStates = [historyEmbeddings(scope, config, inputIds, mode)];
  for (let i = 0; i < numHiddenLayers; i++) hiddenStates.push(block(scope.in("layers").in(i), config, hiddenStates.at(-1)!, place, mode));
  const last = hiddenStates.at(-1)!;
  return { hiddenStates, lastHiddenState: finalNorm ? layerNorm(scope.in("norm"), last, layerNormEps) : last };
}

/** Equation 6: how well each item would come next at each place, by its own embedding. logits [batch, length, vocabulary]. */
export function sasrecForNextItem(scope: Scope, config: SASRecConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  return scoresOfItems(scope, config, sasrecModel(scope, config, inputs, mode));
}

/** Scores by products with the items' embeddings. */
export function scoresOfItems(scope: Scope, { vocabSize, hiddenSize, initializerRange }: Pick<SASRecConfig, "vocabSize" | "hiddenSize" | "initializerRange">, encoder: EncoderOutputs): ModelOutputs {
  const weight = scope.in("item_embeddings").parameter("weight", [vocabSize, hiddenSize], normal(initializerRange));
  return { ...encoder, ...vocabularyScores({ hidden: encoder.lastHiddenState, weight }) };
}
