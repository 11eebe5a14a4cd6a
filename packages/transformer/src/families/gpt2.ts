import { add, slice, type Tensor } from "@heddle/kernels";
import type { GPT2Config } from "../config/gpt2.ts";
import type { DecoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { causalAttention, type CausalPlace } from "../nn/causal-attention.ts";
import { embedding } from "../nn/embedding.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { splitHeads } from "../nn/heads.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linearByColumns } from "../nn/linear.ts";
import { causalPositions } from "../nn/position-ids.ts";
import { normal, type Scope } from "../nn/scope.ts";
import { cacheOf, withFinalNorm } from "./decoder.ts";
import { causalLM, lastTokenClassification } from "./decoder-heads.ts";

// GPT-2 (Radford et al. 2019): learned positions, LayerNorm before each sublayer.

function attend(scope: Scope, config: GPT2Config, x: Tensor, layer: number, place: CausalPlace, mode: ForwardMode): Tensor {
  const { hiddenSize, numAttentionHeads, headDim, initializerRange, attentionDropout, scaleAttnWeights, scaleAttnByInverseLayerIdx } = config;
  const all = linearByColumns(scope.in("c_attn"), x, { outputSize: 3 * hiddenSize, initializerRange });
  const [q, k, v] = [0, 1, 2].map((i) => splitHeads(slice(all, { axis: 2, begin: i * hiddenSize, end: (i + 1) * hiddenSize }), numAttentionHeads)) as [Tensor, Tensor, Tensor];
  const scale = (scaleAttnWeights ? 1 / Math.sqrt(headDim) : 1) / (scaleAttnByInverseLayerIdx ? layer + 1 : 1);
  return linearByColumns(scope.in("c_proj"), causalAttention(q, k, v, place, mode, { scale, dropout: attentionDropout }), { outputSize: hiddenSize, initializerRange });
}

/** x + attention(norm(x)), then x + feedForward(norm(x)). x [batch, length, hidden] → same. */
function gpt2Layer(scope: Scope, config: GPT2Config, x: Tensor, layer: number, place: CausalPlace, mode: ForwardMode): Tensor {
  const { hiddenSize, intermediateSize, hiddenAct, initializerRange, normEps, residDropout } = config;
  const attended = add(x, dropout(attend(scope.in("attn"), config, layerNorm(scope.in("ln_1"), x, normEps), layer, place, mode), residDropout, mode));
  const expanded = linearByColumns(scope.in("mlp.c_fc"), layerNorm(scope.in("ln_2"), attended, normEps), { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  return add(attended, dropout(linearByColumns(scope.in("mlp.c_proj"), expanded, { outputSize: hiddenSize, initializerRange }), residDropout, mode));
}

/** Hidden states: the embeddings', every layer's but the last one's, and the norm's. */
export function gpt2Model(scope: Scope, config: GPT2Config, { inputIds, attentionMask: mask, cache }: DecoderInputs, mode: ForwardMode): EncoderOutputs {
  const { vocabSize, hiddenSize: size, maxPositionEmbeddings, numHiddenLayers, initializerRange, normEps, embdDropout } = config;
  const words = embedding(scope.in("wte"), inputIds, { count: vocabSize, size, initializerRange });
  const table = scope.in("wpe").parameter("weight", [maxPositionEmbeddings, size], normal(initializerRange));
  const positions = causalPositions(table, inputIds.shape[1]!, cache);
  const hiddenStates = [dropout(add(words, positions), embdDropout, mode)];
  for (let i = 0; i < numHiddenLayers; i++) hiddenStates.push(gpt2Layer(scope.in("h").in(i), config, hiddenStates.at(-1)!, i, { mask, cache: cacheOf(cache, i) }, mode));
  return withFinalNorm(hiddenStates, (x) => layerNorm(scope.in("ln_f"), x, normEps));
}

export const gpt2ForCausalLM = (scope: Scope, config: GPT2Config, inputs: DecoderInputs, mode: ForwardMode): ModelOutputs =>
  causalLM(scope, config, gpt2Model(scope.in("transformer"), config, inputs, mode), { words: "transformer.wte", head: "lm_head" });

export const gpt2ForSequenceClassification = (scope: Scope, config: GPT2Config, inputs: DecoderInputs, mode: ForwardMode): ModelOutputs =>
  lastTokenClassification(scope, config, gpt2Model(scope.in("transformer"), config, inputs, mode), inputs);
