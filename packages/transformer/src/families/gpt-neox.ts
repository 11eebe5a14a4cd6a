import { add, asTensor, reshape, slice, type Tensor } from "@heddle/kernels";
import type { GPTNeoXConfig } from "../config/gpt-neox.ts";
import type { DecoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { causalAttention, type CausalPlace } from "../nn/causal-attention.ts";
import { embedding } from "../nn/embedding.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { positionsOf } from "../nn/key-value-cache.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { rotaryTableOf } from "../nn/rotary.ts";
import type { Scope } from "../nn/scope.ts";
import { cacheOf, withFinalNorm } from "./decoder.ts";
import { causalLM, lastTokenClassification } from "./decoder-heads.ts";

// GPT-NeoX (Black et al. 2022, arXiv:2204.06745), also Pythia: attention and the feed-forward network side by side, rotary
// positions in part of each head.

function attend(scope: Scope, config: GPTNeoXConfig, x: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  const { hiddenSize, numAttentionHeads, headDim, initializerRange, attentionBias: bias, attentionDropout } = config;
  const [batch, length] = x.shape as [number, number];
  const all = linear(scope.in("query_key_value"), x, { outputSize: 3 * hiddenSize, initializerRange, bias });
  // Each head has its query, key and value side by side.
  const byHead = reshape(all, [batch, length, numAttentionHeads, 3 * headDim]);
  const [q, k, v] = [0, 1, 2].map((i) => slice(byHead, { axis: 3, begin: i * headDim, end: (i + 1) * headDim })) as [Tensor, Tensor, Tensor];
  return linear(scope.in("dense"), causalAttention(q, k, v, place, mode, { dropout: attentionDropout }), { outputSize: hiddenSize, initializerRange, bias });
}

/** x + attention(norm(x)) + feedForward(norm'(x)), or one after the other. x [batch, length, hidden] → same. */
function layer(scope: Scope, config: GPTNeoXConfig, x: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  const { hiddenSize, intermediateSize, hiddenAct, initializerRange, normEps, hiddenDropout, useParallelResidual } = config;
  const attended = add(x, dropout(attend(scope.in("attention"), config, layerNorm(scope.in("input_layernorm"), x, normEps), place, mode), hiddenDropout, mode));
  const normalized = layerNorm(scope.in("post_attention_layernorm"), useParallelResidual ? x : attended, normEps);
  const expanded = linear(scope.in("mlp.dense_h_to_4h"), normalized, { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  return add(attended, dropout(linear(scope.in("mlp.dense_4h_to_h"), expanded, { outputSize: hiddenSize, initializerRange }), hiddenDropout, mode));
}

/** Hidden states: the embeddings', every layer's but the last one's, and the norm's. */
export function gptNeoXModel(scope: Scope, config: GPTNeoXConfig, { inputIds, attentionMask: mask, cache }: DecoderInputs, mode: ForwardMode): EncoderOutputs {
  const { vocabSize: count, hiddenSize: size, numHiddenLayers, initializerRange, normEps, hiddenDropout } = config;
  const rotary = asTensor(rotaryTableOf(config.rotary, config.headDim, positionsOf(cache, inputIds.shape[1]!)));
  const hiddenStates = [dropout(embedding(scope.in("embed_in"), inputIds, { count, size, initializerRange }), hiddenDropout, mode)];
  for (let i = 0; i < numHiddenLayers; i++) hiddenStates.push(layer(scope.in("layers").in(i), config, hiddenStates.at(-1)!, { mask, cache: cacheOf(cache, i), rotary }, mode));
  return withFinalNorm(hiddenStates, (x) => layerNorm(scope.in("final_layer_norm"), x, normEps));
}

export const gptNeoXForCausalLM = (scope: Scope, config: GPTNeoXConfig, inputs: DecoderInputs, mode: ForwardMode): ModelOutputs =>
  causalLM(scope, config, gptNeoXModel(scope.in("gpt_neox"), config, inputs, mode), { words: "gpt_neox.embed_in", head: "embed_out" });

export const gptNeoXForSequenceClassification = (scope: Scope, config: GPTNeoXConfig, inputs: DecoderInputs, mode: ForwardMode): ModelOutputs =>
  lastTokenClassification(scope, config, gptNeoXModel(scope.in("gpt_neox"), config, inputs, mode), inputs);
