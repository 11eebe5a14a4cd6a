import { add, type Tensor } from "@heddle/kernels";
import type { LlamaLikeConfig } from "../config/decoder.ts";
import type { CausalPlace } from "../nn/causal-attention.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import { gatedFeedForward } from "../nn/gated-feed-forward.ts";
import { rmsNorm } from "../nn/rms-norm.ts";
import type { Scope } from "../nn/scope.ts";
import { decoderModel, selfAttention } from "./decoder.ts";

// Llama (Touvron et al. 2023, arXiv:2302.13971): rotary positions, RMSNorm before each sublayer, SwiGLU.

/** x + attention(norm(x)), then x + feedForward(norm(x)), with a family's own attention. x [batch, length, hidden] → same. */
export function preNormLayer<C extends LlamaLikeConfig>(scope: Scope, config: C, x: Tensor, attend: (scope: Scope, normalized: Tensor) => Tensor): Tensor {
  const attended = add(x, attend(scope.in("self_attn"), rmsNorm(scope.in("input_layernorm"), x, config.normEps)));
  return add(attended, gatedFeedForward(scope.in("mlp"), rmsNorm(scope.in("post_attention_layernorm"), attended, config.normEps), config));
}

export function llamaLayer(scope: Scope, config: LlamaLikeConfig, x: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  return preNormLayer(scope, config, x, (attention, normalized) => selfAttention(attention, config, normalized, place, mode));
}

export const llamaModel = decoderModel(llamaLayer);
