import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configToJson, createConfig, parseConfig, withLabels } from "./config.ts";

const codeAndMessage = (json: string | object): string => {
  try {
    parseConfig(json);
    return "accepted";
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`;
  }
};
const bert = (more: object): object => ({ model_type: "bert", ...more });

describe("parseConfig", () => {
  it("fills in transformers' defaults", () => {
    expect(parseConfig({ model_type: "bert" })).toMatchObject({
      vocabSize: 30522, hiddenSize: 768, numHiddenLayers: 12, numAttentionHeads: 12, intermediateSize: 3072, hiddenAct: "gelu", maxPositionEmbeddings: 512,
      typeVocabSize: 2, layerNormEps: 1e-12, hiddenDropoutProb: 0.1, attentionProbsDropoutProb: 0.1, classifierDropout: undefined, padTokenId: 0,
      initializerRange: 0.02, numLabels: 2, id2label: ["LABEL_0", "LABEL_1"], problemType: undefined,
    });
    expect(parseConfig('{"model_type":"distilbert"}')).toMatchObject({ hiddenSize: 768, numHiddenLayers: 6, intermediateSize: 3072, classifierDropout: 0.2, qaDropout: 0.1, typeVocabSize: 0, layerNormEps: 1e-12 });
  });

  it("reads the labels by id, whatever their order and whatever label2id says", () => {
    const config = parseConfig(bert({ id2label: { 1: "good", 0: "bad" }, label2id: { LABEL_0: 0, LABEL_1: 1 } }));
    expect(config.id2label).toEqual(["bad", "good"]);
    expect(config.label2id.get("good")).toBe(1);
  });

  it.each([
    ["{", "CONFIG_INVALID", "JSON"],
    [[], "CONFIG_INVALID", "object"],
    [{}, "CONFIG_INVALID", "model_type"],
    [{ model_type: "mamba" }, "MODEL_TYPE_UNKNOWN", "albert, b"],
    [{ model_type: "constructor" }, "MODEL_TYPE_UNKNOWN", "constructor"],
    [bert({ hidden_size: 10, num_attention_heads: 3 }), "CONFIG_INVALID", "not divisible"],
    [{ model_type: "distilbert", dim: 10, n_heads: 3 }, "CONFIG_INVALID", "dim 10"],
    [bert({ hidden_size: "768" }), "CONFIG_INVALID", "hidden_size"],
    [bert({ num_hidden_layers: 0 }), "CONFIG_INVALID", "num_hidden_layers"],
    [bert({ hidden_act: "wiggle" }), "CONFIG_INVALID", "wiggle"],
    [bert({ hidden_dropout_prob: 1.5 }), "CONFIG_INVALID", "hidden_dropout_prob"],
    [bert({ id2label: { 0: "a", 2: "b" } }), "CONFIG_INVALID", "gap"],
    [bert({ id2label: { 0: "a", 1: "a" } }), "CONFIG_INVALID", "twice"],
    [bert({ id2label: { 0: "a" }, num_labels: 3 }), "CONFIG_INVALID", "num_labels"],
    [bert({ pad_token_id: 40000 }), "CONFIG_INVALID", "pad_token_id"],
    [bert({ position_embedding_type: "relative_key" }), "CONFIG_INVALID", "absolute"],
    [bert({ is_decoder: true }), "CONFIG_INVALID", "encoder"],
    [bert({ problem_type: "ranking" }), "CONFIG_INVALID", "problem_type"],
    [{ model_type: "roberta", max_position_embeddings: 2 }, "CONFIG_INVALID", "leaves no position after pad_token_id 1"],
    [{ model_type: "mpnet", relative_attention_num_buckets: 6 }, "CONFIG_INVALID", "multiple of 4"],
    [{ model_type: "electra", embedding_size: 0 }, "CONFIG_INVALID", "embedding_size"],
    [{ model_type: "albert", hidden_size: 10, num_attention_heads: 3 }, "CONFIG_INVALID", "not divisible"],
    [{ model_type: "deberta-v2", conv_kernel_size: 3 }, "CONFIG_INVALID", "convolution"],
    [{ model_type: "deberta-v2", attention_head_size: 32 }, "CONFIG_INVALID", "make it 64"],
    [{ model_type: "clip", vision_config: { image_size: 8 } }, "CONFIG_INVALID", "vision_config"],
    [{ model_type: "clip", text_config: { hidden_size: 10 } }, "CONFIG_INVALID", "text_config.hidden_size"],
    [{ model_type: "vit", image_size: 8 }, "CONFIG_INVALID", "smaller than patch_size"],
    [{ model_type: "llama", num_attention_heads: 6 }, "CONFIG_INVALID", "not divisible"],
    [{ model_type: "llama", num_key_value_heads: 5 }, "CONFIG_INVALID", "cannot be shared out"],
    [{ model_type: "qwen3", num_hidden_layers: 2, layer_types: ["full_attention"] }, "CONFIG_INVALID", "layer_types lists 1"],
    [{ model_type: "gemma2", sliding_window: null }, "CONFIG_INVALID", "no sliding_window"],
    [{ model_type: "smollm3", no_rope_layers: [1] }, "CONFIG_INVALID", "list all of them"],
    [{ model_type: "bart", d_model: 30 }, "CONFIG_INVALID", "encoder_attention_heads"],
    [{ model_type: "t5", feed_forward_proj: "gated-spline" }, "CONFIG_INVALID", "unknown activation"],
    [{ model_type: "vit", hidden_size: 10 }, "CONFIG_INVALID", "not divisible"],
    [{ model_type: "modernbert", layer_types: ["full_attention"] }, "CONFIG_INVALID", "layer_types lists 1"],
    [{ model_type: "modernbert", rope_parameters: { full_attention: { rope_type: "longrope", short_factor: Array(32).fill(1), long_factor: Array(32).fill(1), original_max_position_embeddings: 512 } } }, "CONFIG_INVALID", "longrope"],
  ])("%j → %s", (json, code, hint) => {
    const answer = codeAndMessage(json);
    expect(answer).toContain(code);
    expect(answer).toContain(hint);
  });
});

describe("configToJson", () => {
  it("keeps unknown keys and spellings, and corrects what changed", () => {
    const raw = bert({ hidden_act: "gelu_fast", my_key: { deep: [1] }, torch_dtype: "float16", num_labels: 2, transformers_version: "4.8.2" });
    const json = configToJson(withLabels(parseConfig(raw), ["no", "yes", "maybe"]));
    expect(json).toMatchObject({ hidden_act: "gelu_fast", my_key: { deep: [1] }, dtype: "float32", torch_dtype: "float32", transformers_version: "4.8.2", id2label: { 0: "no", 1: "yes", 2: "maybe" }, label2id: { no: 0, yes: 1, maybe: 2 } });
    expect(json).not.toHaveProperty("num_labels");
    const again = parseConfig(json);
    expect(again).toMatchObject({ numLabels: 3, hiddenAct: "gelu_new" });
  });

  it.each([
    { model_type: "roberta", vocab_size: 50265, max_position_embeddings: 514, type_vocab_size: 1, pad_token_id: 1 },
    { model_type: "xlm-roberta", vocab_size: 250002, max_position_embeddings: 514, type_vocab_size: 1, pad_token_id: 1 },
    { model_type: "mpnet", vocab_size: 30527, max_position_embeddings: 514, relative_attention_num_buckets: 32 },
    { model_type: "electra", embedding_size: 64, hidden_size: 256, num_attention_heads: 4 },
    { model_type: "albert", embedding_size: 64, hidden_size: 768, num_attention_heads: 12, num_hidden_groups: 2, inner_group_num: 1, classifier_dropout_prob: 0.3, hidden_act: "gelu_new" },
    { model_type: "modernbert", num_hidden_layers: 2, layer_types: ["sliding_attention", "full_attention"], rope_parameters: { full_attention: { rope_type: "default", rope_theta: 5000 }, sliding_attention: { rope_type: "linear", rope_theta: 100, factor: 2 } }, decoder_bias: false, classifier_pooling: "mean" },
    { model_type: "deberta-v2", relative_attention: true, position_buckets: 256, norm_rel_ebd: "layer_norm", share_att_key: true, pos_att_type: ["p2c", "c2p"], position_biased_input: false, type_vocab_size: 0, layer_norm_eps: 1e-7, cls_dropout: 0.2, embedding_size: 9, legacy: false },
    { model_type: "clip", projection_dim: 9, text_config: { eos_token_id: 2, hidden_size: 16, num_attention_heads: 4, mine: 1 }, vision_config: { image_size: 32, patch_size: 16, hidden_act: "gelu" } },
    { model_type: "gpt2", n_embd: 48, n_head: 3, n_layer: 2, n_inner: 100, activation_function: "gelu_fast", attn_pdrop: 0.2, scale_attn_by_inverse_layer_idx: true, pad_token_id: 5, eos_token_id: [3, 4] },
    { model_type: "gpt_neox", hidden_size: 64, num_attention_heads: 2, rope_parameters: { rope_theta: 500, rope_type: "linear", factor: 2, partial_rotary_factor: 0.5 }, use_parallel_residual: false },
    { model_type: "llama", num_key_value_heads: 8, rope_parameters: { rope_theta: 500000, rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 }, attention_bias: true },
    { model_type: "mistral", sliding_window: null, head_dim: 64 },
    { model_type: "phi3", resid_pdrop: 0.1, sliding_window: 2047, pad_token_id: null },
    { model_type: "qwen2", num_hidden_layers: 3, use_sliding_window: true, sliding_window: 9, max_window_layers: 1, layer_types: ["full_attention", "sliding_attention", "sliding_attention"] },
    { model_type: "qwen3", head_dim: 32, num_attention_heads: 8, num_key_value_heads: 4 },
    { model_type: "gemma2", attn_logit_softcapping: null, final_logit_softcapping: 12, query_pre_attn_scalar: 9 },
    { model_type: "gemma3_text", num_hidden_layers: 2, layer_types: ["full_attention", "sliding_attention"], rope_parameters: { full_attention: { rope_theta: 9, rope_type: "default" }, sliding_attention: { rope_theta: 8, rope_type: "default" } } },
    { model_type: "smollm3", num_hidden_layers: 3, no_rope_layers: [0, 1, 1] },
    { model_type: "t5", d_kv: 5, feed_forward_proj: "gated-gelu", tie_word_embeddings: false, num_decoder_layers: 3 },
    { model_type: "bart", d_model: 32, encoder_attention_heads: 4, decoder_attention_heads: 2, scale_embedding: true, forced_eos_token_id: 2, activation_function: "relu" },
    { model_type: "marian", d_model: 32, encoder_attention_heads: 4, decoder_attention_heads: 2, pad_token_id: 9, decoder_start_token_id: 9 },
    { model_type: "whisper", num_mel_bins: 128, suppress_tokens: [1, 2], max_target_positions: 99 },
    { model_type: "vit", image_size: 224, patch_size: [8, 16], qkv_bias: false, pooler_output_size: 5, pooler_act: "relu" },
  ])("writes $model_type as it was read", (raw) => {
    expect(configToJson(parseConfig(raw))).toMatchObject(raw);
  });

  it("lets CLIP's older keys count for more, and clears them away", () => {
    const config = parseConfig({ model_type: "clip", text_config: { eos_token_id: 2, hidden_size: 8 }, text_config_dict: { hidden_size: 64 } });
    expect(config).toMatchObject({ textConfig: { eosTokenId: 49407, hiddenSize: 64 } });
    expect(configToJson(config)).toMatchObject({ text_config: { hidden_size: 64 }, text_config_dict: null });
  });

  it("reads DeBERTa's types of attention in one string", () => {
    expect(parseConfig({ model_type: "deberta-v2", pos_att_type: "P2C|c2p" })).toMatchObject({ posAttType: ["p2c", "c2p"], layerNormEps: 1e-7, hiddenSize: 1536 });
  });

  it("reads ModernBERT's keys of transformers 4", () => {
    expect(parseConfig({ model_type: "modernbert", num_hidden_layers: 3, global_attn_every_n_layers: 2, global_rope_theta: 7000, local_rope_theta: 300 })).toMatchObject({
      layerTypes: ["full_attention", "sliding_attention", "full_attention"],
      rotary: { full_attention: { theta: 7000, partialRotaryFactor: 1 }, sliding_attention: { theta: 300, partialRotaryFactor: 1 } },
    });
  });

  it("counts RoBERTa's usable positions", () => {
    expect(parseConfig({ model_type: "roberta", max_position_embeddings: 514 })).toMatchObject({ maxPositionEmbeddings: 512 });
  });

  it("writes a configuration made from scratch", () => {
    const config = createConfig({ modelType: "bert", hiddenSize: 128, numAttentionHeads: 2, numHiddenLayers: 2, vocabSize: 8000, labels: ["bad", "good"], architectures: ["BertForSequenceClassification"] });
    expect(configToJson(config)).toMatchObject({ model_type: "bert", hidden_size: 128, vocab_size: 8000, intermediate_size: 3072, id2label: { 0: "bad", 1: "good" } });
    expect(createConfig({ modelType: "distilbert", hiddenSize: 64, numAttentionHeads: 4 })).toMatchObject({ hiddenSize: 64, numHiddenLayers: 6 });
    expect(() => createConfig({ modelType: "bert", hiddenSize: 10, numAttentionHeads: 3 })).toThrow("not divisible");
  });

  it("gives every golden configuration back unchanged", () => {
    const cases = join(process.env["HEDDLE_SHARED"] ?? join(import.meta.dirname, "../../../../../shared"), "golden/cases");
    if (!existsSync(cases)) return console.warn(`golden configurations NOT compared: ${cases} is absent`);
    for (const name of readdirSync(cases).filter((name) => /^(bert|clip|deberta-v2|distilbert|modernbert|vit)-/.test(name))) {
      const raw = JSON.parse(readFileSync(join(cases, name, "config.json"), "utf8")) as object;
      const { torch_dtype: _added, ...json } = configToJson(parseConfig(raw));
      expect(json, name).toMatchObject(raw);
      expect(Object.keys(json).filter((key) => !(key in raw) && key !== "id2label" && key !== "label2id"), name).toEqual([]);
    }
  });
});
