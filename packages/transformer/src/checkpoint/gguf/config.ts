import { HeddleError } from "@heddle/kernels";
import type { GgufFile } from "./file.ts";
import { rotaryScalingOf } from "./rotary.ts";

// config.json from a GGUF file's metadata, and where its tensors go.

interface GgufArchitecture {
  readonly modelType: string;
  /** As in config.json's `architectures`. */
  readonly name: string;
  /** llama.cpp turns neighbouring elements, so it stores the rows of queries and keys in another order. */
  readonly permutesHeads?: boolean;
  /** Norms are stored as the factor itself, where checkpoints have it less 1. */
  readonly normOffset?: boolean;
  /** Where parts of a layer go that are named as in Llama's and mean something else. */
  readonly parts?: Readonly<Record<string, string>>;
  readonly config?: (read: MetadataReader) => Record<string, unknown>;
}

/** Gemma's layers have a norm before the feed-forward network where Llama's have the one after attention. */
const GEMMA_PARTS = { ffn_norm: "pre_feedforward_layernorm" };

/** A metadata value of the file's architecture; undefined where it has none. */
export type MetadataReader = (key: string) => unknown;

const ARCHITECTURES: Readonly<Record<string, GgufArchitecture>> = {
  llama: { modelType: "llama", name: "LlamaForCausalLM", permutesHeads: true },
  smollm3: { modelType: "smollm3", name: "SmolLM3ForCausalLM", permutesHeads: true },
  qwen2: { modelType: "qwen2", name: "Qwen2ForCausalLM" },
  qwen3: { modelType: "qwen3", name: "Qwen3ForCausalLM" },
  phi3: {
    modelType: "phi3",
    name: "Phi3ForCausalLM",
    parts: { ffn_up: "mlp.gate_up_proj" },
    config: (read) => ({ original_max_position_embeddings: read("rope.scaling.original_context_length") }),
  },
  gemma2: {
    modelType: "gemma2",
    name: "Gemma2ForCausalLM",
    normOffset: true,
    parts: GEMMA_PARTS,
    config: (read) => ({ attn_logit_softcapping: read("attn_logit_softcapping"), final_logit_softcapping: read("final_logit_softcapping"), query_pre_attn_scalar: read("attention.key_length") }),
  },
  gemma3: { modelType: "gemma3_text", name: "Gemma3ForCausalLM", normOffset: true, parts: GEMMA_PARTS, config: (read) => ({ query_pre_attn_scalar: read("attention.key_length") }) },
};

export function architectureOf({ metadata, source }: GgufFile): GgufArchitecture {
  const name = metadata["general.architecture"];
  const found = typeof name === "string" && Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
  if (!found) throw new HeddleError("MODEL_TYPE_UNKNOWN", `[${source.label}] is a model of the architecture ${JSON.stringify(name)}; known in GGUF files are ${Object.keys(ARCHITECTURES).join(", ")}`);
  return found;
}

/** What transformers' config.json says of the same model. Its own checks come when it is parsed. Errors: MODEL_TYPE_UNKNOWN, GGUF_INVALID, those of reading. */
export async function configOf(file: GgufFile): Promise<Record<string, unknown>> {
  const { metadata, tensors } = file;
  const architecture = architectureOf(file);
  const read: MetadataReader = (key) => plain(metadata[`${String(metadata["general.architecture"])}.${key}`]);
  const [vocabulary] = tensors.get("token_embd.weight")?.shape ?? [];
  const json = {
    model_type: architecture.modelType,
    architectures: [architecture.name],
    vocab_size: vocabulary,
    hidden_size: read("embedding_length"),
    intermediate_size: read("feed_forward_length"),
    num_hidden_layers: read("block_count"),
    num_attention_heads: read("attention.head_count"),
    num_key_value_heads: read("attention.head_count_kv"),
    head_dim: read("attention.key_length"),
    max_position_embeddings: read("context_length"),
    rms_norm_eps: read("attention.layer_norm_rms_epsilon"),
    sliding_window: read("attention.sliding_window"),
    rope_theta: read("rope.freq_base"),
    partial_rotary_factor: rotatedShare(read),
    rope_scaling: await rotaryScalingOf(file, read),
    tie_word_embeddings: !tensors.has("output.weight"),
    bos_token_id: plain(metadata["tokenizer.ggml.bos_token_id"]),
    eos_token_id: plain(metadata["tokenizer.ggml.eos_token_id"]),
    // A family's default would be a token of another vocabulary.
    pad_token_id: plain(metadata["tokenizer.ggml.padding_token_id"]) ?? null,
    ...architecture.config?.(read),
  };
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined));
}

/** Of a head's elements; the others are not turned. */
function rotatedShare(read: MetadataReader): number | undefined {
  const [turned, all] = [read("rope.dimension_count"), read("attention.key_length") ?? Number(read("embedding_length")) / Number(read("attention.head_count"))];
  return typeof turned === "number" && typeof all === "number" && turned < all ? turned / all : undefined;
}

/** Integers of 64 bits come as bigint. */
const plain = (value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);

/** Hugging Face's name of a tensor; undefined for one that a model does not have. */
export function checkpointName(name: string, { parts = {} }: GgufArchitecture): string | undefined {
  if (Object.hasOwn(WHOLE, name)) return WHOLE[name];
  const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const known = { ...PARTS, ...parts };
  const inner = part !== undefined && Object.hasOwn(known, part) ? known[part] : undefined;
  return inner && `model.layers.${layer}.${inner}.${kind}`;
}

const WHOLE: Readonly<Record<string, string>> = { "token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight" };

const PARTS: Readonly<Record<string, string>> = {
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_qkv: "self_attn.qkv_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  attn_norm: "input_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
  ffn_norm: "post_attention_layernorm",
  post_attention_norm: "post_attention_layernorm",
  post_ffw_norm: "post_feedforward_layernorm",
};
