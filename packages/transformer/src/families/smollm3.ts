import type { SmolLM3Config } from "../config/smollm3.ts";
import { decoderModel } from "./decoder.ts";
import { llamaLayer } from "./llama.ts";

// SmolLM3 (Hugging Face 2025): Llama, some of whose layers have no positions at all (Yang et al. 2025, "RoPE to NoPE", arXiv:2501.18795).

export const smollm3Model = decoderModel<SmolLM3Config>(llamaLayer, { usesRotary: (config, layer) => config.usesRotary[layer]! });
