import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, hostTensor, quantizeWeight, ReferenceDevice, type HostTensor } from "@heddle/kernels";
import { describe, expect, it } from "vitest";
import { configToJson, createConfig, parseConfig, type LlamaConfig } from "../../config/index.ts";
import { architectureFor, createModel, loadModel, type Model } from "../../models/index.ts";
import { rotaryFrequencies } from "../../nn/rotary.ts";
import { encodeGguf, type GgufTensorToWrite, type GgufValue } from "../../testing/gguf.ts";
import { loadTokenizer } from "../../text/index.ts";
import { openModelFolder } from "../folder/open.ts";

const device = new ReferenceDevice();
const sizes = { vocabSize: 12, hiddenSize: 16, numHiddenLayers: 2, numAttentionHeads: 4, numKeyValueHeads: 2, headDim: 4, intermediateSize: 24, maxPositionEmbeddings: 32 };

const tokens = ["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "▁ab", "c", "bc", "<0x0A>"];
const vocabulary: Record<string, GgufValue> = {
  "tokenizer.ggml.model": "llama",
  "tokenizer.ggml.tokens": tokens,
  "tokenizer.ggml.scores": [0, 0, 0, -9, -8, -7, -3, -2, -1, -6, -2.5, -20],
  "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 6],
  "tokenizer.ggml.bos_token_id": 1,
  "tokenizer.ggml.eos_token_id": 2,
  "tokenizer.ggml.unknown_token_id": 0,
  "tokenizer.ggml.add_bos_token": true,
};

const metadataOf = (architecture: string, more: Record<string, GgufValue> = {}): Record<string, GgufValue> => ({
  "general.architecture": architecture,
  [`${architecture}.block_count`]: 2,
  [`${architecture}.embedding_length`]: 16,
  [`${architecture}.feed_forward_length`]: 24,
  [`${architecture}.attention.head_count`]: 4,
  [`${architecture}.attention.head_count_kv`]: 2,
  [`${architecture}.attention.key_length`]: 4,
  [`${architecture}.attention.layer_norm_rms_epsilon`]: 1e-6,
  [`${architecture}.context_length`]: 32,
  ...vocabulary,
  ...more,
});

const NAMES: readonly [heddle: RegExp, gguf: string][] = [
  [/^model\.embed_tokens/, "token_embd"],
  [/^model\.norm/, "output_norm"],
  [/^lm_head/, "output"],
  [/^model\.layers\.(\d+)\.self_attn\.([qkv])_proj/, "blk.$1.attn_$2"],
  [/^model\.layers\.(\d+)\.self_attn\.o_proj/, "blk.$1.attn_output"],
  [/^model\.layers\.(\d+)\.self_attn\.([qk])_norm/, "blk.$1.attn_$2_norm"],
  [/^model\.layers\.(\d+)\.self_attn\.qkv_proj/, "blk.$1.attn_qkv"],
  [/^model\.layers\.(\d+)\.mlp\.gate_up_proj/, "blk.$1.ffn_up"],
  [/^model\.layers\.(\d+)\.mlp\.(\w+)_proj/, "blk.$1.ffn_$2"],
  [/^model\.layers\.(\d+)\.input_layernorm/, "blk.$1.attn_norm"],
  [/^model\.layers\.(\d+)\.pre_feedforward_layernorm/, "blk.$1.ffn_norm"],
  [/^model\.layers\.(\d+)\.post_feedforward_layernorm/, "blk.$1.post_ffw_norm"],
];

async function tensorsOf(model: Model, change: (name: string, data: Float32Array) => Float32Array): Promise<GgufTensorToWrite[]> {
  const isGemma = model.config.modelType.startsWith("gemma");
  const names = [...NAMES, [/^model\.layers\.(\d+)\.post_attention_layernorm/, isGemma ? "blk.$1.post_attention_norm" : "blk.$1.ffn_norm"] as const];
  return Promise.all(
    [...model.parameters].map(async ([name, state]) => {
      const [pattern, replacement] = names.find(([known]) => known.test(name))!;
      const data = change(name, (await device.readStates([state]))[0] as Float32Array);
      return { name: name.replace(pattern, replacement), shape: state.type.shape, type: 0, bytes: new Uint8Array(data.slice().buffer) };
    }),
  );
}

async function logitsOf(model: Model): Promise<HostTensor> {
  using compiled = compile(device, "logits", ({ inputIds }) => ({ logits: model.forward({ inputIds: inputIds! }).logits! }));
  return (await compiled.run({ inputIds: hostTensor(Int32Array.of(1, 8, 10, 5, 3, 9), [1, 6]) }))["logits"]!;
}

/** Matrices in Q8_0. */
function asQ8(tensor: GgufTensorToWrite): GgufTensorToWrite {
  const { shape, bytes } = tensor;
  if (shape.length !== 2) return tensor;
  const { values, scales } = quantizeWeight({ shape, data: new Float32Array(bytes.buffer) }, "q8_0");
  const [steps, halves] = [new Uint8Array(values.data.buffer), new Uint8Array(scales.data.buffer)];
  const blocks = new Uint8Array((steps.length / 32) * 34);
  for (let block = 0; block < steps.length / 32; block++) {
    blocks.set(halves.subarray(2 * block, 2 * block + 2), 34 * block);
    blocks.set(steps.subarray(32 * block, 32 * block + 32), 34 * block + 2);
  }
  return { ...tensor, type: 8, bytes: blocks };
}

const asFile = (bytes: Uint8Array<ArrayBuffer>) => ({ "model.gguf": new Blob([bytes]) });

/** llama.cpp's convert_hf_to_gguf.py: reshape(heads, 2, half, columns), swap axes 1 and 2. */
function permuted(data: Float32Array, heads: number, size: number): Float32Array {
  const columns = data.length / (heads * size);
  const half = size / 2;
  const result = new Float32Array(data.length);
  for (let h = 0; h < heads; h++) {
    for (let side = 0; side < 2; side++) for (let i = 0; i < half; i++) result.set(data.subarray((h * size + side * half + i) * columns, (h * size + side * half + i + 1) * columns), (h * size + 2 * i + side) * columns);
  }
  return result;
}

describe("a GGUF file", () => {
  it.each(["llama", "smollm3"] as const)("of a %s loads as the same model", async (modelType) => {
    // Of SmolLM3's layers every fourth is without positions.
    const config = createConfig({ modelType, ...sizes, numHiddenLayers: 4, tieWordEmbeddings: false });
    using model = createModel(device, architectureFor(modelType, "causal-lm"), config, 3);
    const tensors = await tensorsOf(model, (name, data) => (/q_proj/.test(name) ? permuted(data, 4, 4) : /k_proj/.test(name) ? permuted(data, 2, 4) : data));
    const { model: loaded, missing, unexpected } = await loadModel(device, asFile(encodeGguf(metadataOf(modelType, { [`${modelType}.block_count`]: 4, [`${modelType}.rope.freq_base`]: config.rotary.full_attention.theta }), tensors)));
    using _ = loaded;
    expect([missing, unexpected]).toEqual([[], []]);
    expect((await logitsOf(loaded)).data).toEqual((await logitsOf(model)).data);
  });

  it("of a Gemma 3 loads as the same model, its norms less 1, its embeddings tied", async () => {
    using model = createModel(device, architectureFor("gemma3_text", "causal-lm"), createConfig({ modelType: "gemma3_text", ...sizes, queryPreAttnScalar: 4, slidingWindow: 3 }), 3);
    const tensors = await tensorsOf(model, (name, data) => (name.endsWith("norm.weight") ? data.map((value) => value + 1) : data));
    const { model: loaded, missing } = await loadModel(device, asFile(encodeGguf(metadataOf("gemma3", { "gemma3.attention.sliding_window": 3, "gemma3.rope.freq_base": 1_000_000 }), tensors)));
    using _ = loaded;
    expect([missing, loaded.config.modelType]).toEqual([[], "gemma3_text"]);
    const [a, b] = [await logitsOf(loaded), await logitsOf(model)];
    a.data.forEach((value, i) => expect(Math.abs(value - b.data[i]!)).toBeLessThan(1e-5));
  });

  it.each(["llama", "phi3"] as const)("of a %s scales its rotary frequencies by tables", async (modelType) => {
    const heads = { ...sizes, headDim: 8, hiddenSize: 32 };
    const rotary = modelType === "llama" ? { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 16 } : { rope_type: "longrope", short_factor: [1, 1.5, 2, 3], long_factor: [2, 3, 4, 6], original_max_position_embeddings: 16 };
    using plain = createModel(device, architectureFor(modelType, "causal-lm"), createConfig({ modelType, ...heads, tieWordEmbeddings: false, initializerRange: 0.5, normEps: 1e-6 }), 3);
    const config = parseConfig({ ...configToJson(plain.config), rope_parameters: { rope_theta: 10_000, ...rotary } }) as LlamaConfig;
    using model = createModel(device, architectureFor(modelType, "causal-lm"), config, 3);
    const frequencies = (each: LlamaConfig, length: number) => rotaryFrequencies(each.rotary.full_attention, 8, length);
    const table = (name: string, length: number): GgufTensorToWrite => ({ name, shape: [4], type: 0, bytes: new Uint8Array(Float32Array.from(frequencies(plain.config as LlamaConfig, length), (frequency, pair) => frequency / frequencies(config, length)[pair]!).buffer) });
    const tables = modelType === "llama" ? [table("rope_freqs.weight", 6)] : [table("rope_factors_short.weight", 6), table("rope_factors_long.weight", 20)];
    const tensors = await tensorsOf(model, (name, data) => (modelType === "llama" && /q_proj/.test(name) ? permuted(data, 4, 8) : modelType === "llama" && /k_proj/.test(name) ? permuted(data, 2, 8) : data));
    const { scaling } = config.rotary.full_attention;
    const metadata = metadataOf(modelType, { [`${modelType}.embedding_length`]: 32, [`${modelType}.attention.key_length`]: 8, ...(scaling.type === "longrope" && { "phi3.rope.scaling.original_context_length": 16, "phi3.rope.scaling.attn_factor": scaling.attentionFactor }) });
    const { model: loaded, missing, unexpected } = await loadModel(device, asFile(encodeGguf(metadata, [...tables, ...tensors])));
    using _ = loaded;
    expect([missing, unexpected]).toEqual([[], []]);
    const [a, b, unscaled] = [await logitsOf(loaded), await logitsOf(model), await logitsOf(plain)];
    a.data.forEach((value, i) => expect(Math.abs(value - b.data[i]!)).toBeLessThan(1e-5));
    expect(b.data.some((value, i) => Math.abs(value - unscaled.data[i]!) > 1e-3)).toBe(true);
    for (const length of [6, 20]) frequencies(loaded.config as LlamaConfig, length).forEach((frequency, pair) => expect(frequency / frequencies(config, length)[pair]!).toBeCloseTo(1, 5));
  });

  it("stays in its few bits where that is wanted: the same numbers, and the same model when it is saved", async () => {
    const wider = { ...sizes, hiddenSize: 32, headDim: 8, intermediateSize: 64 };
    using model = createModel(device, architectureFor("llama", "causal-lm"), createConfig({ modelType: "llama", ...wider, tieWordEmbeddings: true }), 3);
    const tensors = (await tensorsOf(model, (name, data) => (/q_proj/.test(name) ? permuted(data, 4, 8) : /k_proj/.test(name) ? permuted(data, 2, 8) : data))).map(asQ8);
    const metadata = metadataOf("llama", { "llama.embedding_length": 32, "llama.feed_forward_length": 64, "llama.attention.key_length": 8 });
    const source = asFile(encodeGguf(metadata, tensors));
    const seen: number[] = [];
    const { model: quantized, missing, unexpected } = await loadModel(device, source, { dtype: "quantized", onProgress: (progress) => progress.type === "tensors" && seen.push(progress.loadedTensors) });
    const { model: floats } = await loadModel(device, source, { dtype: "float32" });
    expect([missing, unexpected]).toEqual([[], []]);
    expect(seen).toEqual(Array.from({ length: tensors.length }, (_, i) => i + 1));
    expect([quantized.quantized.size, quantized.parameters.size, floats.quantized.size]).toEqual([1 + 2 * 7, 5, 0]);
    expect(quantized.numParameters).toBe(floats.numParameters);
    const [a, b] = [await logitsOf(quantized), await logitsOf(floats)];
    a.data.forEach((value, i) => expect(Math.abs(value - b.data[i]!)).toBeLessThan(1e-5));

    const folder = await mkdtemp(join(tmpdir(), "heddle-gguf-"));
    await quantized.savePretrained(folder);
    const { model: saved } = await loadModel(device, folder);
    expect((await logitsOf(saved)).data).toEqual(b.data);
    await rm(folder, { recursive: true });
    for (const each of [quantized, floats, saved]) each.dispose();
  });

  it("brings its tokenizer: pieces join by their scores, bytes stand for what is no piece", async () => {
    await using folder = await openModelFolder(asFile(encodeGguf(metadataOf("llama"), [{ name: "token_embd.weight", shape: [12, 16], type: 0, bytes: new Uint8Array(12 * 16 * 4) }])));
    const tokenizer = loadTokenizer(folder.tokenizerText!, folder.tokenizerConfigText);
    expect(tokenizer.encode("ab").ids).toEqual([1, 8]);
    expect(tokenizer.encode("abc").ids).toEqual([1, 8, 9]);
    expect(tokenizer.encode("c\nbc").ids).toEqual([1, 3, 9, 11, 10]);
    expect(tokenizer.decode([1, 8, 9, 11])).toBe("abc\n");
    expect(tokenizer.specialTokenId("eos")).toBe(2);
  });

  it.each([
    ["gpt-2", ["1234", "x", "y", "!"]],
    ["smollm", ["1", "2", "3", "4", "x", "y", "!"]],
    ["llama-bpe", ["123", "4", "xy", "!"]],
    ["smaug-bpe", ["123", "4", "x", "y", "!"]],
    ["qwen2", ["1", "2", "3", "4", "x", "y", "!"]],
    ["gpt-4o", ["123", "4", "x", "y", "!"]],
  ])("cuts texts before it merges by the rule %s", async (pre, wanted) => {
    const pieces = ["1", "2", "3", "4", "12", "123", "1234", "x", "y", "xy", "!"];
    const metadata = { ...metadataOf("llama"), "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": pieces, "tokenizer.ggml.token_type": pieces.map(() => 1), "tokenizer.ggml.merges": ["1 2", "12 3", "123 4"], "tokenizer.ggml.add_bos_token": false };
    await using folder = await openModelFolder(asFile(encodeGguf(metadata, [{ name: "token_embd.weight", shape: [pieces.length, 16], type: 0, bytes: new Uint8Array(pieces.length * 16 * 4) }])));
    const tokenizer = loadTokenizer(folder.tokenizerText!, folder.tokenizerConfigText);
    expect(tokenizer.encode("1234xy!").ids.map((id) => pieces[id])).toEqual(wanted);
  });

  it("takes no time over what only damaged files have", async () => {
    const long = Array.from({ length: 200 }, (_, i) => "a".repeat(16_000 + i));
    const metadata = { ...metadataOf("llama"), "tokenizer.ggml.tokens": [...tokens, ...long], "tokenizer.ggml.scores": tokens.map(() => 0), "tokenizer.ggml.token_type": [] };
    const rowsOfNothing = { name: "blk.0.attn_q.weight", shape: [2 ** 32, 0], type: 0, bytes: new Uint8Array(0) };
    await using folder = await openModelFolder(asFile(encodeGguf(metadata, [rowsOfNothing])));
    const { model } = JSON.parse(folder.tokenizerText!) as { model: { merges: string[][] } };
    expect(model.merges).toContainEqual(["a", "b"]);
    const weights = await folder.weights();
    for await (const { shape, data } of weights.stream()) expect([shape, data.length]).toEqual([[2 ** 32, 0], 0]);
  });

  it("says what is wrong with it", async () => {
    const opened = (metadata: Record<string, GgufValue>, tensors: GgufTensorToWrite[] = []) => openModelFolder(asFile(encodeGguf(metadata, tensors)));
    await expect(opened(metadataOf("mamba"))).rejects.toThrow(/architecture "mamba"; known in GGUF files are llama, smollm3, qwen2/);
    await expect(opened({ ...metadataOf("llama"), "tokenizer.ggml.model": "bert" })).rejects.toThrow(/tokenizer of the kind "bert"; known in GGUF files are llama and gpt2/);
    await expect(opened(metadataOf("llama"), [{ name: "token_embd.weight", shape: [12, 16], type: 10, bytes: new Uint8Array(16) }])).rejects.toThrow(/token_embd.weight in ggml's type 10; known are F32/);
    await expect(opened(metadataOf("llama"), [{ name: "token_embd.weight", shape: [12, 16], type: 8, bytes: new Uint8Array(16) }])).rejects.toThrow(/rows of 16 in token_embd.weight, which are no whole blocks of 32/);
    await expect(opened(metadataOf("llama"), [{ name: "token_embd.weight", shape: [12, 1600], type: 0, bytes: new Uint8Array(16) }])).rejects.toThrow(/ends at byte \d+, its tensor token_embd.weight at/);
    const table = (...factors: number[]) => loadModel(device, asFile(encodeGguf(metadataOf("llama"), [{ name: "token_embd.weight", shape: [12, 16], type: 0, bytes: new Uint8Array(12 * 16 * 4) }, { name: "rope_freqs.weight", shape: [factors.length], type: 0, bytes: new Uint8Array(Float32Array.from(factors).buffer) }])));
    await expect(table(1, 1, 1)).rejects.toThrow(/want 2 numbers each, one a pair of a head; one has 3/);
    await expect(table(1, NaN)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(table(1, 0)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(table(...new Array<number>(5000).fill(1))).rejects.toThrow(/a table rope_freqs.weight of the shape 5000, where a head has at most 4096 pairs/);
    await expect(openModelFolder({ "x.gguf": new Blob(["GGML but not quite, and long enough"]) })).rejects.toMatchObject({ code: "GGUF_INVALID" });
    await expect(openModelFolder({ "x.gguf": new Blob([]) })).rejects.toMatchObject({ code: "GGUF_INVALID" });
  });
});
