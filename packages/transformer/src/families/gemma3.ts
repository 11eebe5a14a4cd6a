import type { Tensor } from "@heddle/kernels";
import type { Gemma3Config } from "../config/gemma.ts";
import type { CausalPlace } from "../nn/causal-attention.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import type { Scope } from "../nn/scope.ts";
import { decoderModel, selfAttention } from "./decoder.ts";
import { gemmaEmbeddings, gemmaNorm, sandwichLayer } from "./gemma2.ts";

// Gemma 3 (Gemma Team 2025, arXiv:2503.19786): Gemma 2 with a norm of each head's queries and keys in place of soft caps, five
// layers with a window to one without, and a rotary base for each of the two.

function layer(scope: Scope, config: Gemma3Config, x: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  const options = { scale: config.queryPreAttnScalar ** -0.5, softCap: config.attnLogitSoftcapping, headNorm: (norm: Scope, heads: Tensor) => gemmaNorm(norm, heads, config) };
  return sandwichLayer(scope, config, x, (attention, normalized) => selfAttention(attention, config, normalized, place, mode, options));
}

export const gemma3Model = decoderModel(layer, gemmaEmbeddings);
