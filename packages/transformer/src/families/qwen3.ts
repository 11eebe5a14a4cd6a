import type { Tensor } from "@heddle/kernels";
import type { Qwen3Config } from "../config/qwen.ts";
import type { CausalPlace } from "../nn/causal-attention.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import { rmsNorm } from "../nn/rms-norm.ts";
import type { Scope } from "../nn/scope.ts";
import { decoderModel, selfAttention } from "./decoder.ts";
import { preNormLayer } from "./llama.ts";

// Qwen3 (Yang et al. 2025, arXiv:2505.09388): Llama with a norm of each head's queries and keys.

function layer(scope: Scope, config: Qwen3Config, x: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  const headNorm = (norm: Scope, heads: Tensor) => rmsNorm(norm, heads, config.normEps);
  return preNormLayer(scope, config, x, (attention, normalized) => selfAttention(attention, config, normalized, place, mode, { headNorm }));
}

export const qwen3Model = decoderModel(layer);
