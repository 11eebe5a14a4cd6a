import type { Tensor } from "@heddle/kernels";
import type { Qwen2Config } from "../config/qwen.ts";
import type { CausalPlace } from "../nn/causal-attention.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import type { Scope } from "../nn/scope.ts";
import { decoderModel, selfAttention } from "./decoder.ts";
import { preNormLayer } from "./llama.ts";

// Qwen2 (Yang et al. 2024, arXiv:2407.10671): Llama with biases of queries, keys and values.

function layer(scope: Scope, config: Qwen2Config, x: Tensor, place: CausalPlace, mode: ForwardMode): Tensor {
  return preNormLayer(scope, config, x, (attention, normalized) => selfAttention(attention, config, normalized, place, mode, { bias: true, outputBias: false }));
}

export const qwen2Model = decoderModel(layer);
