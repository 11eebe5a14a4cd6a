import { add, mul, activation, slice, type Tensor } from "@heddle/kernels";
import type { Phi3Config } from "../config/phi3.ts";
import { causalAttention, type CausalPlace } from "../nn/causal-attention.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { splitHeads } from "../nn/heads.ts";
import { linear } from "../nn/linear.ts";
import { rmsNorm } from "../nn/rms-norm.ts";
import type { Scope } from "../nn/scope.ts";
import { decoderModel } from "./decoder.ts";

// Phi-3 (Abdin et al. 2024, arXiv:2404.14219): Llama with one matrix for queries, keys and values, and one for gate and input.

function attend(scope: Scope, config: Phi3Config, x: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  const { hiddenSize, numAttentionHeads, numKeyValueHeads, headDim, initializerRange, attentionDropout } = config;
  const [ofQueries, ofKeys] = [numAttentionHeads * headDim, numKeyValueHeads * headDim];
  const all = linear(scope.in("qkv_proj"), x, { outputSize: ofQueries + 2 * ofKeys, initializerRange, bias: false });
  const part = (begin: number, size: number) => splitHeads(slice(all, { axis: 2, begin, end: begin + size }), size / headDim);
  const context = causalAttention(part(0, ofQueries), part(ofQueries, ofKeys), part(ofQueries + ofKeys, ofKeys), place, mode, { dropout: attentionDropout });
  return linear(scope.in("o_proj"), context, { outputSize: hiddenSize, initializerRange, bias: false });
}

function feedForward(scope: Scope, { hiddenSize, intermediateSize, hiddenAct, initializerRange }: Phi3Config, x: Tensor): Tensor {
  const both = linear(scope.in("gate_up_proj"), x, { outputSize: 2 * intermediateSize, initializerRange, bias: false });
  const gate = slice(both, { axis: 2, begin: 0, end: intermediateSize });
  const up = slice(both, { axis: 2, begin: intermediateSize });
  return linear(scope.in("down_proj"), mul(activation(hiddenAct, gate), up), { outputSize: hiddenSize, initializerRange, bias: false });
}

function layer(scope: Scope, config: Phi3Config, x: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  const { normEps, residDropout } = config;
  const attended = add(x, dropout(attend(scope.in("self_attn"), config, rmsNorm(scope.in("input_layernorm"), x, normEps), place, mode), residDropout, mode));
  return add(attended, dropout(feedForward(scope.in("mlp"), config, rmsNorm(scope.in("post_attention_layernorm"), attended, normEps)), residDropout, mode));
}

export const phi3Model = decoderModel(layer);
