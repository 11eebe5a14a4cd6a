import { compile, hostTensor, ReferenceDevice } from "@heddle/kernels";
import { describe, expect, it } from "vitest";
import { encodeSafetensors, openModelFolder, recommenderFolder, type TensorToWrite } from "../checkpoint/index.ts";
import { configToJson, createConfig, parseConfig, type SASRecConfig } from "../config/index.ts";
import { architectureFor } from "../models/architectures.ts";
import { createModel } from "../models/create.ts";
import { loadModel } from "../models/load.ts";
import type { Model } from "../models/model.ts";

const device = new ReferenceDevice();
const tiny = { modelType: "sasrec", numItems: 9, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, intermediateSize: 12, maxPositionEmbeddings: 6, initializerRange: 0.4 } as const;
const kinds: Readonly<Record<string, Partial<SASRecConfig>>> = {
  "as published": { normPlacement: "query", embeddingNorm: false, finalNorm: true, scaleEmbeddings: true, hiddenAct: "relu", layerNormEps: 1e-8 },
  "post-norm": {},
  "pre-norm": { normPlacement: "pre", finalNorm: true },
  rotary: { positionEmbeddingType: "rotary" },
};

/** Scores after the last item of one history, in a window of `length`. */
async function scoresOf(model: Model, history: readonly number[], length: number): Promise<number[]> {
  using compiled = compile(device, "scores", ({ inputIds }) => ({ logits: model.forward({ inputIds: inputIds! }).logits! }));
  const ids = Int32Array.from([...new Array<number>(length - history.length).fill(0), ...history]);
  const { logits } = await compiled.run({ inputIds: hostTensor(ids, [1, length]) });
  return Array.from(logits!.data.slice(-model.parameters.get("item_embeddings.weight")!.type.shape[0]!));
}

describe("SASRec", () => {
  it.each(Object.entries(kinds))("%s: padding changes nothing, order does", async (_, options) => {
    using model = createModel(device, architectureFor("sasrec", "next-item"), createConfig({ ...tiny, ...options }), 5);
    const scores = await scoresOf(model, [3, 7, 2], 6);
    (await scoresOf(model, [3, 7, 2], 3)).forEach((score, item) => expect(score).toBeCloseTo(scores[item]!, 4));
    expect(await scoresOf(model, [7, 3, 2], 6)).not.toEqual(scores);
    expect(parseConfig(configToJson(model.config))).toMatchObject({ ...tiny, ...options });
  });

  it("attends to padding where a checkpoint was trained so", async () => {
    using model = createModel(device, architectureFor("sasrec", "next-item"), createConfig({ ...tiny, attendToPadding: true }), 5);
    expect(model.parameters.get("position_embeddings.weight")!.type.shape).toEqual([7, 8]);
    const [padded, full] = [await scoresOf(model, [3, 7, 2], 6), await scoresOf(model, [3, 7, 2], 3)];
    expect(Math.abs(padded[1]! - full[1]!)).toBeGreaterThan(1e-3);
  });

  it("refuses sizes that do not fit", () => {
    expect(() => createConfig({ ...tiny, hiddenSize: 9 })).toThrow("not divisible");
    expect(() => parseConfig({ model_type: "sasrec", num_items: 9, vocab_size: 9 })).toThrow("has no room for padding");
    expect(() => createConfig({ ...tiny, hiddenSize: 6, positionEmbeddingType: "rotary" })).toThrow("rotary positions turn pairs");
  });
});

/** A number for each element, told from all others. */
function numbered(shapes: Readonly<Record<string, readonly number[]>>): Map<string, { shape: readonly number[]; data: Float32Array }> {
  let next = 0;
  return new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.sin(next++)) }]));
}

async function folderOf(config: object, tensors: ReturnType<typeof numbered>): Promise<Record<string, Blob>> {
  const toWrite = [...tensors].map(([name, { shape, data }]): TensorToWrite => ({ name, dtype: "F32", shape, data }));
  const pieces: BlobPart[] = [];
  for await (const piece of encodeSafetensors(toWrite)) pieces.push(piece as Uint8Array<ArrayBuffer>);
  return { "config.json": new Blob([JSON.stringify(config)]), "model.safetensors": new Blob(pieces) };
}

const normOf = (name: string, size: number) => ({ [`${name}.weight`]: [size], [`${name}.bias`]: [size] });
const layerOf = (name: string, out: number, into: number) => ({ [`${name}.weight`]: [out, into], [`${name}.bias`]: [out] });

const pmixer = numbered({
  "item_emb.weight": [6, 4], "pos_emb.weight": [4, 4], ...normOf("last_layernorm", 4),
  ...normOf("attention_layernorms.0", 4), "attention_layers.0.in_proj_weight": [12, 4], "attention_layers.0.in_proj_bias": [12], ...layerOf("attention_layers.0.out_proj", 4, 4),
  ...normOf("forward_layernorms.0", 4), "forward_layers.0.conv1.weight": [4, 4, 1], "forward_layers.0.conv1.bias": [4], "forward_layers.0.conv2.weight": [4, 4, 1], "forward_layers.0.conv2.bias": [4],
});

const s3rec = numbered({
  "item_embeddings.weight": [7, 4], "position_embeddings.weight": [5, 4], ...normOf("LayerNorm", 4), "attribute_embeddings.weight": [3, 4],
  ...Object.fromEntries([0, 1].flatMap((i) => {
    const layer = `item_encoder.layer.${i}`;
    const linears = ["query", "key", "value", "dense"].map((part) => layerOf(`${layer}.attention.${part}`, 4, 4));
    return Object.entries(Object.assign({}, ...linears, normOf(`${layer}.attention.LayerNorm`, 4), layerOf(`${layer}.intermediate.dense_1`, 10, 4), layerOf(`${layer}.intermediate.dense_2`, 4, 10), normOf(`${layer}.intermediate.LayerNorm`, 4)) as Record<string, number[]>);
  })),
});

async function load(files: Promise<Record<string, Blob>>): Promise<Model> {
  await using opened = await openModelFolder(await files);
  return (await loadModel(device, await recommenderFolder(opened), { head: "next-item" })).model;
}

const read = async (model: Model, name: string) => (await device.readStates([model.parameters.get(name)!]))[0]!;

describe("published layouts", () => {
  it("pmixer's: one matrix of queries, keys and values, and convolutions of width 1", async () => {
    using model = await load(folderOf({ model_type: "sasrec", num_attention_heads: 2, max_length: 3 }, pmixer));
    expect(model.config).toMatchObject({ numItems: 5, vocabSize: 6, hiddenSize: 4, numHiddenLayers: 1, numAttentionHeads: 2, maxPositionEmbeddings: 3, intermediateSize: 4, normPlacement: "query", attendToPadding: true, layerNormEps: 1e-8, hiddenAct: "relu" });
    const all = pmixer.get("attention_layers.0.in_proj_weight")!.data;
    expect(await read(model, "layers.0.attention.key.weight")).toEqual(all.slice(16, 32));
    expect(await read(model, "layers.0.attention.value.bias")).toEqual(pmixer.get("attention_layers.0.in_proj_bias")!.data.slice(8));
    expect(await read(model, "layers.0.feed_forward.outer.weight")).toEqual(pmixer.get("forward_layers.0.conv2.weight")!.data);
  });

  it("S3-Rec's and ICLRec's: BERT's blocks, and a row behind the items", async () => {
    using model = await load(folderOf({ model_type: "sasrec", hidden_size: 4 }, s3rec));
    expect(model.config).toMatchObject({ numItems: 5, vocabSize: 7, numHiddenLayers: 2, numAttentionHeads: 2, maxPositionEmbeddings: 5, intermediateSize: 10, normPlacement: "post", layerNormEps: 1e-12 });
    expect(await read(model, "layers.1.feed_forward.inner.weight")).toEqual(s3rec.get("item_encoder.layer.1.intermediate.dense_1.weight")!.data);
  });

  it("say what does not fit", async () => {
    await expect(load(folderOf({ model_type: "sasrec", max_length: 4 }, pmixer))).rejects.toThrow("max_length is 4 in config.json and 3 by the weights");
    const without = new Map([...s3rec].filter(([name]) => name !== "item_encoder.layer.1.attention.key.bias"));
    await expect(load(folderOf({ model_type: "sasrec" }, without))).rejects.toThrow("layers.1.attention.key.bias is missing");
    const spoilt = new Map([...pmixer, ["last_layernorm.bias", { shape: [4], data: Float32Array.of(0, NaN, 0, 0) }] as const]);
    await expect(load(folderOf({ model_type: "sasrec" }, spoilt))).rejects.toMatchObject({ code: "WEIGHTS_NOT_FINITE" });
  });
});
