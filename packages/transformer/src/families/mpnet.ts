import { add, attention, type Tensor } from "@heddle/kernels";
import type { MPNetConfig } from "../config/index.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { mergeHeads, splitHeads } from "../nn/heads.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { relativePositionBias, textDistances } from "../nn/relative-positions.ts";
import type { Scope } from "../nn/scope.ts";
import { bertEmbeddings } from "./bert.ts";
import { maskedLM, pooler, sequenceClassification } from "./encoder-heads.ts";
import { pastPadding } from "./roberta.ts";

// MPNet (Song et al. 2020, arXiv:2004.09297): BERT without token types, with positions that skip padding and a bias of the scores
// by relative position, the same in every layer.

const MAX_DISTANCE = 128;

/** Post-norm: LayerNorm(x + sublayer(x)), twice. x [batch, length, hidden] → same. */
function layer(scope: Scope, config: MPNetConfig, x: Tensor, bias: Tensor, attentionMask: Tensor | undefined, mode: ForwardMode): Tensor {
  const { hiddenSize, numAttentionHeads, intermediateSize, hiddenAct, hiddenDropoutProb, attentionProbsDropoutProb: probability, layerNormEps, initializerRange } = config;
  const attn = scope.in("attention.attn");
  const project = (name: string) => splitHeads(linear(attn.in(name), x, { outputSize: hiddenSize, initializerRange }), numAttentionHeads);
  const context = attention(project("q"), project("k"), project("v"), {
    bias,
    ...(attentionMask && { mask: attentionMask }),
    ...(mode.dropoutKey && probability > 0 && { dropout: { probability, key: mode.dropoutKey } }),
  });
  const mixed = linear(attn.in("o"), mergeHeads(context), { outputSize: hiddenSize, initializerRange });
  const attended = layerNorm(scope.in("attention.LayerNorm"), add(x, dropout(mixed, hiddenDropoutProb, mode)), layerNormEps);
  const expanded = linear(scope.in("intermediate.dense"), attended, { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  const contracted = linear(scope.in("output.dense"), expanded, { outputSize: hiddenSize, initializerRange });
  return layerNorm(scope.in("output.LayerNorm"), add(attended, dropout(contracted, hiddenDropoutProb, mode)), layerNormEps);
}

/** Hidden states [batch, length, hidden]: the embeddings' and every layer's. */
export function mpnetEncoder(scope: Scope, config: MPNetConfig, inputs: EncoderInputs, mode: ForwardMode): EncoderOutputs {
  const { numHiddenLayers, numAttentionHeads: heads, relativeAttentionNumBuckets: buckets, initializerRange } = config;
  const { inputIds, attentionMask } = inputs;
  const hiddenStates = [bertEmbeddings(scope.in("embeddings"), config, inputs, mode, { positions: pastPadding(config, inputIds) })];
  const bias = relativePositionBias(scope.in("encoder.relative_attention_bias"), textDistances(inputIds.shape[1]!), { heads, buckets, maxDistance: MAX_DISTANCE, initializerRange });
  for (let i = 0; i < numHiddenLayers; i++) hiddenStates.push(layer(scope.in("encoder.layer").in(i), config, hiddenStates.at(-1)!, bias, attentionMask, mode));
  return { hiddenStates, lastHiddenState: hiddenStates.at(-1)! };
}

/** Plain hidden states and the pooler's output. */
export function mpnetModel(scope: Scope, config: MPNetConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const encoder = mpnetEncoder(scope, config, inputs, mode);
  return { ...encoder, poolerOutput: pooler(scope.in("pooler.dense"), config, encoder.lastHiddenState) };
}

export const mpnetForSequenceClassification = (scope: Scope, config: MPNetConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs =>
  sequenceClassification(scope.in("classifier"), config, mpnetEncoder(scope.in("mpnet"), config, inputs, mode), "tanh", mode);

export function mpnetForMaskedLM(scope: Scope, config: MPNetConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const head = scope.in("lm_head");
  const encoder = mpnetEncoder(scope.in("mpnet"), config, inputs, mode);
  return maskedLM(config, encoder, { dense: head.in("dense"), norm: head.in("layer_norm"), words: scope.in("mpnet.embeddings.word_embeddings"), bias: head }, { activation: "gelu" });
}
