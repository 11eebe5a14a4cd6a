import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, hostTensor, ReferenceDevice } from "@heddle/kernels";
import { afterAll, describe, expect, it } from "vitest";
import { createConfig, parseConfig } from "../config/index.ts";
import { positionsPastPadding } from "../families/roberta.ts";
import { architectureByName, architectureFor, type Head } from "./architectures.ts";
import { createModel } from "./create.ts";
import { loadModel } from "./load.ts";
import type { Model } from "./model.ts";
import { parametersOf } from "./parameters.ts";
import { saveModel } from "./save.ts";

const device = new ReferenceDevice();
const folder = await mkdtemp(join(tmpdir(), "heddle-model-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const tiny = { vocabSize: 31, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, intermediateSize: 12, maxPositionEmbeddings: 16 };
const bert = createConfig({ modelType: "bert", ...tiny, labels: ["bad", "good", "odd"] });
const distilbert = createConfig({ modelType: "distilbert", ...tiny, labels: ["bad", "good"] });
const families = {
  albert: createConfig({ modelType: "albert", ...tiny, embeddingSize: 6, numHiddenGroups: 2, labels: ["bad", "good"] }),
  bert,
  "deberta-v2": createConfig({ modelType: "deberta-v2", ...tiny, embeddingSize: 6, relativeAttention: true, positionBuckets: 4, normRelEbd: "layer_norm", posAttType: ["p2c", "c2p"], typeVocabSize: 2, labels: ["bad", "good"] }),
  distilbert,
  electra: createConfig({ modelType: "electra", ...tiny, embeddingSize: 6, labels: ["bad", "good"] }),
  modernbert: createConfig({ modelType: "modernbert", ...tiny, localAttention: 2, padTokenId: 0, labels: ["bad", "good"] }),
  mpnet: createConfig({ modelType: "mpnet", ...tiny, relativeAttentionNumBuckets: 8, labels: ["bad", "good"] }),
  roberta: createConfig({ modelType: "roberta", ...tiny, labels: ["bad", "good"] }),
  "xlm-roberta": createConfig({ modelType: "xlm-roberta", ...tiny, labels: ["bad", "good"] }),
};

const grouped = { ...tiny, hiddenSize: 16, numAttentionHeads: 4, numKeyValueHeads: 2, headDim: 4, labels: ["bad", "good"] };
const decoders = {
  gemma2: createConfig({ modelType: "gemma2", ...grouped, slidingWindow: 2 }),
  gemma3_text: createConfig({ modelType: "gemma3_text", ...grouped, slidingWindow: 2 }),
  gpt2: createConfig({ modelType: "gpt2", ...tiny, labels: ["bad", "good"] }),
  gpt_neox: createConfig({ modelType: "gpt_neox", ...tiny, hiddenSize: 16, labels: ["bad", "good"] }),
  llama: createConfig({ modelType: "llama", ...grouped, tieWordEmbeddings: true, attentionBias: true, mlpBias: true }),
  mistral: createConfig({ modelType: "mistral", ...grouped, slidingWindow: 2 }),
  phi3: createConfig({ modelType: "phi3", ...grouped }),
  qwen2: createConfig({ modelType: "qwen2", ...grouped }),
  qwen3: createConfig({ modelType: "qwen3", ...grouped, headDim: 6 }),
  smollm3: createConfig({ modelType: "smollm3", ...grouped, numHiddenLayers: 4 }),
};
const halves = { vocabSize: 31, hiddenSize: 8, numHiddenLayers: 2, numEncoderLayers: 1, numAttentionHeads: 2, numEncoderAttentionHeads: 2, intermediateSize: 12, padTokenId: 1, decoderStartTokenId: 2 };
const pairs = {
  bart: createConfig({ modelType: "bart", ...halves, encoderIntermediateSize: 10, maxPositionEmbeddings: 16, scaleEmbedding: true }),
  marian: createConfig({ modelType: "marian", ...halves, encoderIntermediateSize: 10, maxPositionEmbeddings: 16 }),
  t5: createConfig({ modelType: "t5", ...halves, headDim: 3, hiddenAct: "gelu_new", isGatedAct: true, tieWordEmbeddings: false, scaleDecoderOutputs: false }),
  whisper: createConfig({ modelType: "whisper", ...halves, encoderIntermediateSize: 10, maxPositionEmbeddings: 16, numMelBins: 3, maxSourcePositions: 5 }),
};

const images = {
  vit: createConfig({ modelType: "vit", hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, intermediateSize: 12, imageSize: [7, 4], patchSize: [3, 2], numChannels: 2, labels: ["bad", "good"] }),
};
const clip = parseConfig({
  model_type: "clip",
  projection_dim: 5,
  text_config: { vocab_size: 31, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 12, max_position_embeddings: 16, eos_token_id: 3 },
  vision_config: { hidden_size: 6, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 12, image_size: [7, 4], patch_size: [3, 2], num_channels: 2 },
});
const pixelValues = hostTensor(Float32Array.from({ length: 2 * 2 * 7 * 4 }, (_, i) => Math.sin(i)), [2, 2, 7, 4]);

const ids = hostTensor(Int32Array.of(2, 7, 9, 3, 2, 8, 3, 0), [2, 4]);
const attentionMask = hostTensor(Int32Array.of(1, 1, 1, 1, 1, 1, 1, 0), [2, 4]);

async function outputsOf(model: Model) {
  const reads = Object.keys(model.architecture.smallestInputs(model.config));
  using forward = compile(model.device, "forward", (inputs) => {
    const { logits, startLogits, lastHiddenState, logitsPerImage } = model.forward(inputs);
    const scores = logits ?? startLogits ?? logitsPerImage;
    return { hidden: lastHiddenState, ...(scores && { logits: scores }) };
  });
  const inputFeatures = hostTensor(Float32Array.from({ length: 2 * 3 * 10 }, (_, i) => Math.cos(i)), [2, 3, 10]);
  return forward.run({ ...(reads.includes("decoderInputIds") && { decoderInputIds: ids }), ...(reads.includes("inputFeatures") && { inputFeatures }), ...(reads.includes("inputIds") && { inputIds: ids, attentionMask }), ...(reads.includes("pixelValues") && { pixelValues }) });
}

describe("parameters", () => {
  it("have Hugging Face's names and shapes, found by tracing", () => {
    const specs = new Map(parametersOf(architectureByName("BertForSequenceClassification"), bert).map((spec) => [spec.name, spec.shape]));
    expect(specs.get("bert.embeddings.word_embeddings.weight")).toEqual([31, 8]);
    expect(specs.get("bert.encoder.layer.1.intermediate.dense.weight")).toEqual([12, 8]);
    expect(specs.get("classifier.bias")).toEqual([3]);
    expect(specs.size).toBe(5 + 2 * 16 + 4);
  });

  it("of a tied decoder are the embedding's", () => {
    const names = parametersOf(architectureByName("BertForMaskedLM"), bert).map((spec) => spec.name);
    expect(names).not.toContain("cls.predictions.decoder.weight");
    expect(names).toContain("cls.predictions.bias");
  });
});

describe("a model", () => {
  const allHeads: Head[] = ["none", "sequence-classification", "token-classification", "question-answering", "masked-lm"];
  const ofTexts = Object.keys(families).flatMap((family) => allHeads.map((head) => [family as keyof typeof families, head] as const));
  const ofDecoders = Object.keys(decoders).flatMap((family) => (["none", "causal-lm", "sequence-classification", ...(family.startsWith("gpt") ? [] : ["token-classification"])] as Head[]).map((head) => [family as keyof typeof decoders, head] as const));
  const ofPairs = Object.keys(pairs).flatMap((family) => (["none", "seq2seq-lm"] as Head[]).map((head) => [family as keyof typeof pairs, head] as const));
  const heads = [...ofTexts, ...ofDecoders, ...ofPairs, ["vit", "none"], ["vit", "image-classification"], ["clip", "none"]] as const;
  it.each(heads)("%s with head %s is the same after saving and loading", async (family, head) => {
    using model = createModel(device, architectureFor(family, head), { ...families, ...decoders, ...pairs, ...images, clip }[family], 1);
    const path = join(folder, `${family}-${head}`);
    await saveModel(model, path);
    const { model: loaded, missing, unexpected } = await loadModel(device, path);
    using _ = loaded;
    expect([missing, unexpected]).toEqual([[], []]);
    expect(loaded.architecture.name).toBe(model.architecture.name);
    const [before, after] = [await outputsOf(model), await outputsOf(loaded)];
    for (const name of Object.keys(before)) expect(after[name]!.data).toEqual(before[name]!.data);
  });

  it("of images wants those of its size", async () => {
    using model = createModel(device, architectureFor("vit", "none"), images.vit, 1);
    using forward = compile(device, "forward", (inputs) => ({ hidden: model.forward(inputs).lastHiddenState }));
    await expect(forward.run({ pixelValues: hostTensor(new Float32Array(2 * 4 * 4), [1, 2, 4, 4]) })).rejects.toThrow(/\[batch, 2, 7, 4\], got \[1, 2, 4, 4\]/);
    await expect(forward.run({ inputIds: ids })).rejects.toThrow(/pixelValues is missing/);
  });

  it("of texts and images takes a text at its end, wherever that is, and begins with CLIP's scale", async () => {
    using model = createModel(device, architectureFor("clip", "none"), clip, 1);
    expect((await device.readStates([model.parameters.get("logit_scale")!]))[0]).toEqual(Float32Array.of(2.6592));
    using forward = compile(device, "forward", (inputs) => ({ texts: model.forward(inputs).textEmbeds! }));
    const textsOf = async (...rows: number[][]) => (await forward.run({ inputIds: hostTensor(Int32Array.from(rows.flat()), [rows.length, 4]), attentionMask: hostTensor(new Int32Array(4 * rows.length).fill(1), [rows.length, 4]), pixelValues })).texts!.data;
    // What comes after the end changes nothing, another end as little.
    const texts = await textsOf([7, 9, 3, 8], [7, 9, 3, 3]);
    expect(texts.slice(5)).toEqual(texts.slice(0, 5));
    expect((await textsOf([7, 3, 9, 8])).slice(0, 5)).not.toEqual(texts.slice(0, 5));
  });

  it("starts the same for the same seed, and differently for another", async () => {
    const make = (seed: number) => createModel(device, architectureFor("bert", "sequence-classification"), bert, seed);
    const [a, b, c] = [make(1), make(1), make(2)];
    const [x, y, z] = await Promise.all([a, b, c].map(async (model) => (await outputsOf(model)).logits!.data));
    expect(x).toEqual(y);
    expect(x).not.toEqual(z);
    for (const model of [a, b, c]) model.dispose();
  });

  it("of RoBERTa's line counts positions past padding, wherever it is", async () => {
    using compiled = compile(device, "positions", ({ x }) => ({ y: positionsPastPadding(x!, 1) }));
    const { y } = await compiled.run({ x: hostTensor(Int32Array.of(0, 7, 2, 1, 1, 1, 0, 1, 9, 2), [2, 5]) });
    expect([...y!.data]).toEqual([2, 3, 4, 1, 1, 1, 2, 1, 3, 4]);
  });

  it("shares the weights of a group of ALBERT's layers", () => {
    const names = parametersOf(architectureFor("albert", "none"), families.albert).map(({ name }) => name);
    expect(names.filter((name) => name.endsWith("ffn.weight"))).toEqual([0, 1].map((group) => `encoder.albert_layer_groups.${group}.albert_layers.0.ffn.weight`));
  });

  it("gives padding no influence", async () => {
    using model = createModel(device, architectureFor("bert", "sequence-classification"), bert, 1);
    using forward = compile(device, "forward", ({ inputIds, attentionMask: mask }) => ({ logits: model.forward({ inputIds: inputIds!, attentionMask: mask! }).logits! }));
    const first = await forward.run({ inputIds: ids, attentionMask });
    const other = await forward.run({ inputIds: hostTensor(Int32Array.of(2, 7, 9, 3, 2, 8, 3, 30), [2, 4]), attentionMask });
    expect(other.logits!.data).toEqual(first.logits!.data);
  });
});

describe("loading", () => {
  it("puts a new head on an encoder, says what is new, and keeps the encoder's numbers", async () => {
    using encoder = createModel(device, architectureFor("bert", "none"), bert, 3);
    const path = join(folder, "encoder");
    await saveModel(encoder, path);
    const { model, missing } = await loadModel(device, path, { head: "sequence-classification", labels: ["no", "yes"] });
    using _ = model;
    expect(missing).toEqual(["classifier.weight", "classifier.bias"]);
    expect(model.config.id2label).toEqual(["no", "yes"]);
    expect((await outputsOf(model)).hidden!.data).toEqual((await outputsOf(encoder)).hidden!.data);
  });

  it("reads gamma and beta of older checkpoints", async () => {
    using model = createModel(device, architectureFor("bert", "none"), bert, 3);
    const path = join(folder, "older");
    await saveModel(model, path);
    const file = join(path, "model.safetensors");
    const bytes = await readFile(file);
    // Same length, so that the header's offsets stay right.
    const text = bytes.toString("latin1").replaceAll('LayerNorm.weight"', 'LayerNorm.gamma" ').replaceAll('LayerNorm.bias"', 'LayerNorm.beta"');
    await writeFile(file, Buffer.from(text, "latin1"));
    const { model: loaded, missing } = await loadModel(device, path);
    using _ = loaded;
    expect(missing).toEqual([]);
  });

  it("refuses a checkpoint whose encoder does not fit, and names the parameter", async () => {
    using model = createModel(device, architectureFor("bert", "none"), bert, 3);
    const path = join(folder, "misfit");
    await saveModel(model, path);
    const config = JSON.parse(await readFile(join(path, "config.json"), "utf8")) as Record<string, unknown>;
    await writeFile(join(path, "config.json"), JSON.stringify({ ...config, num_hidden_layers: 3 }));
    await expect(loadModel(device, path)).rejects.toThrow(/encoder\.layer\.2\.attention\.self\.query\.weight is missing, BertModel wants \[8, 8\]/);
    await writeFile(join(path, "config.json"), JSON.stringify({ ...config, vocab_size: 32 }));
    await expect(loadModel(device, path)).rejects.toThrow(/word_embeddings\.weight has shape \[31, 8\], BertModel wants \[32, 8\]/);
  });

  it("leaves nothing on the device when it fails", async () => {
    using model = createModel(device, architectureFor("bert", "none"), bert, 3);
    const path = join(folder, "not-finite");
    (model.parameters.get("embeddings.LayerNorm.bias")!).write(new Float32Array(8).fill(Number.NaN));
    await saveModel(model, path);
    const before = device.memory.currentBytes;
    await expect(loadModel(device, path)).rejects.toThrow(/embeddings\.LayerNorm\.bias/);
    expect(device.memory.currentBytes).toBe(before);
  });

  it("names the known architectures", async () => {
    expect(() => architectureByName("GPT5")).toThrow(/no architecture "GPT5"; known: AlbertModel/);
    expect(() => architectureFor("distilbert", "causal-lm")).toThrow(/family distilbert has no head causal-lm; it has .*masked-lm/);
  });
});
