import { add, type Tensor } from "@heddle/kernels";
import type { Gemma2Config, GemmaConfig } from "../config/gemma.ts";
import type { CausalPlace } from "../nn/causal-attention.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import { gatedFeedForward } from "../nn/gated-feed-forward.ts";
import { rmsNorm } from "../nn/rms-norm.ts";
import type { Scope } from "../nn/scope.ts";
import { decoderModel, selfAttention } from "./decoder.ts";

// Gemma 2 (Gemma Team 2024, arXiv:2408.00118): norms before and after each sublayer, soft-capped scores, a window in every other layer.

/** RMSNorm whose checkpoints store the weight less 1. */
export const gemmaNorm = (scope: Scope, x: Tensor, { normEps }: GemmaConfig): Tensor => rmsNorm(scope, x, normEps, { unitOffset: true });

/** x + norm(sublayer(norm(x))), twice, with a family's own attention. x [batch, length, hidden] → same. */
export function sandwichLayer(scope: Scope, config: GemmaConfig, x: Tensor, attend: (scope: Scope, normalized: Tensor) => Tensor): Tensor {
  const norm = (name: string, hidden: Tensor) => gemmaNorm(scope.in(name), hidden, config);
  const attended = add(x, norm("post_attention_layernorm", attend(scope.in("self_attn"), norm("input_layernorm", x))));
  return add(attended, norm("post_feedforward_layernorm", gatedFeedForward(scope.in("mlp"), norm("pre_feedforward_layernorm", attended), config)));
}

function layer(scope: Scope, config: Gemma2Config, x: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  const options = { scale: config.queryPreAttnScalar ** -0.5, softCap: config.attnLogitSoftcapping };
  return sandwichLayer(scope, config, x, (attention, normalized) => selfAttention(attention, config, normalized, place, mode, options));
}

/** √hidden: embeddings that score tokens as well are small. */
export const gemmaEmbeddings = { embeddingScale: ({ hiddenSize }: GemmaConfig): number => Math.sqrt(hiddenSize), unitOffset: true };

export const gemma2Model = decoderModel(layer, gemmaEmbeddings);
