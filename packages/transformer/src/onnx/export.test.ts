import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as nodeFs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, hostTensor, ReferenceDevice } from "@heddle/kernels";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockFolder } from "../checkpoint/index.ts";
import { createConfig, parseConfig } from "../config/index.ts";
import { architectureFor, createModel, type Head, type Model } from "../models/index.ts";
import { exportOnnx, modelToOnnx } from "./export.ts";
import { isOnnxFile, type OnnxDtype } from "./dtypes.ts";
import { onnxOutputs } from "./signature.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "heddle-onnx-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const device = new ReferenceDevice();
// As large as int8 asks for, so that it is used.
const sizes = { vocabSize: 80, hiddenSize: 64, numHiddenLayers: 2, numAttentionHeads: 2, intermediateSize: 128, maxPositionEmbeddings: 16, labels: ["bad", "good", "odd"] };
const configs = {
  bert: createConfig({ modelType: "bert", ...sizes }),
  distilbert: createConfig({ modelType: "distilbert", ...sizes }),
  modernbert: createConfig({ modelType: "modernbert", ...sizes, localAttention: 4, classifierPooling: "mean", padTokenId: 0 }),
  "deberta-v2": createConfig({ modelType: "deberta-v2", ...sizes, maxPositionEmbeddings: 48, relativeAttention: true, positionBuckets: 8, normRelEbd: "layer_norm", shareAttKey: true, posAttType: ["p2c", "c2p"], positionBiasedInput: false }),
};
type Family = keyof typeof configs;
const model = (family: Family, head: Head, seed = 3): Model => createModel(device, architectureFor(family, head), configs[family], seed);

/** [batch, length] ids from nowhere, the last row half as long as the others, the second half of each row of type 1. */
function inputsOf(batch: number, length: number) {
  const cells = Array.from({ length: batch * length }, (_, at) => ({ row: Math.floor(at / length), column: at % length }));
  return {
    inputIds: Int32Array.from(cells, ({ row, column }) => (17 * row + 29 * column + 5) % sizes.vocabSize),
    attentionMask: Int32Array.from(cells, ({ row, column }) => Number(row < batch - 1 || column < Math.ceil(length / 2))),
    tokenTypeIds: Int32Array.from(cells, ({ column }) => Number(column >= length / 2)),
  };
}

async function heddleOutputs(of: Model, batch: number, length: number) {
  using forward = compile(device, "forward", ({ inputIds, attentionMask, tokenTypeIds }) => onnxOutputs(of.forward({ inputIds: inputIds!, attentionMask: attentionMask!, tokenTypeIds: tokenTypeIds! })));
  return forward.run(Object.fromEntries(Object.entries(inputsOf(batch, length)).map(([name, data]) => [name, hostTensor(data, [batch, length])])));
}

async function fileOutputs(session: InferenceSession, batch: number, length: number) {
  const { inputIds, attentionMask, tokenTypeIds } = inputsOf(batch, length);
  const all: Record<string, Int32Array> = { input_ids: inputIds, attention_mask: attentionMask, token_type_ids: tokenTypeIds };
  return session.run(Object.fromEntries(session.inputNames.map((name) => [name, new Tensor("int64", BigInt64Array.from(all[name]!, BigInt), [batch, length])])));
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

type TextHead = "none" | "sequence-classification" | "token-classification" | "question-answering" | "masked-lm";

const kinds: [Family, TextHead, outputs: string[]][] = [
  ["bert", "none", ["last_hidden_state"]],
  ["bert", "sequence-classification", ["logits"]],
  ["bert", "token-classification", ["logits"]],
  ["bert", "question-answering", ["start_logits", "end_logits"]],
  ["bert", "masked-lm", ["logits"]],
  ["distilbert", "none", ["last_hidden_state"]],
  ["distilbert", "sequence-classification", ["logits"]],
  ["deberta-v2", "sequence-classification", ["logits"]],
  ["modernbert", "none", ["last_hidden_state"]],
  ["modernbert", "sequence-classification", ["logits"]],
  ["modernbert", "masked-lm", ["logits"]],
];

describe("an exported file", () => {
  it.each(kinds)("of %s with head %s has Optimum's names and Heddle's numbers, at any batch and length", async (family, head, outputs) => {
    using own = model(family, head);
    const session = await InferenceSession.create(await modelToOnnx(own));
    expect(session.inputNames).toEqual(["input_ids", "attention_mask", ...(family === "bert" ? ["token_type_ids"] : [])]);
    expect(session.outputNames).toEqual(outputs);
    expect(session.inputMetadata.map((input) => input.isTensor && [input.type, input.shape])).toEqual(session.inputNames.map(() => ["int64", ["batch_size", "sequence_length"]]));
    const perToken = ["batch_size", "sequence_length"];
    const last = { none: [...perToken, 64], "sequence-classification": ["batch_size", 3], "token-classification": [...perToken, 3], "question-answering": perToken, "masked-lm": [...perToken, 80] }[head];
    expect(session.outputMetadata.map((output) => output.isTensor && output.shape)).toEqual(outputs.map(() => last));
    for (const [batch, length] of [[1, 1], [1, 9], [5, 1], [3, 16]] as const) {
      const wanted = await heddleOutputs(own, batch, length);
      const actual = await fileOutputs(session, batch, length);
      for (const name of outputs) {
        expect(actual[name]!.dims).toEqual(wanted[name]!.shape);
        expect(largestDifference(actual[name]!.data as Float32Array, wanted[name]!.data)).toBeLessThan(1e-5);
      }
    }
    await session.release();
  });

  it("of images takes any number of them", async () => {
    using own = createModel(device, architectureFor("vit", "image-classification"), createConfig({ modelType: "vit", hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2, intermediateSize: 12, imageSize: [6, 6], patchSize: [3, 2], labels: ["cat", "dog"] }), 3);
    const session = await InferenceSession.create(await modelToOnnx(own));
    expect([session.inputNames, session.outputNames]).toEqual([["pixel_values"], ["logits"]]);
    using forward = compile(device, "forward", (inputs) => onnxOutputs(own.forward(inputs)));
    for (const batch of [1, 4]) {
      const pixels = Float32Array.from({ length: batch * 108 }, (_, i) => Math.sin(i));
      const actual = await session.run({ pixel_values: new Tensor("float32", pixels, [batch, 3, 6, 6]) });
      expect(largestDifference(actual["logits"]!.data as Float32Array, (await forward.run({ pixelValues: hostTensor(pixels, [batch, 3, 6, 6]) }))["logits"]!.data)).toBeLessThan(1e-5);
    }
    await session.release();
  });

  it("of texts and images takes any number of each", async () => {
    const tower = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 12 };
    const config = parseConfig({ model_type: "clip", text_config: { ...tower, vocab_size: 80, max_position_embeddings: 16, eos_token_id: 2 }, vision_config: { ...tower, image_size: 6, patch_size: 3 } });
    using own = createModel(device, architectureFor("clip", "none"), config, 3);
    const session = await InferenceSession.create(await modelToOnnx(own));
    expect([session.inputNames, session.outputNames]).toEqual([["input_ids", "pixel_values", "attention_mask"], ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"]]);
    using forward = compile(device, "forward", (inputs) => onnxOutputs(own.forward(inputs)));
    for (const [texts, images, length] of [[1, 3, 5], [4, 1, 16]] as const) {
      const { inputIds, attentionMask } = inputsOf(texts, length);
      const pixels = Float32Array.from({ length: images * 108 }, (_, i) => Math.sin(i));
      const int64 = (data: Int32Array) => new Tensor("int64", BigInt64Array.from(data, BigInt), [texts, length]);
      const actual = await session.run({ input_ids: int64(inputIds), attention_mask: int64(attentionMask), pixel_values: new Tensor("float32", pixels, [images, 3, 6, 6]) });
      const wanted = await forward.run({ inputIds: hostTensor(inputIds, [texts, length]), attentionMask: hostTensor(attentionMask, [texts, length]), pixelValues: hostTensor(pixels, [images, 3, 6, 6]) });
      for (const name of session.outputNames) expect(largestDifference(actual[name]!.data as Float32Array, wanted[name]!.data), name).toBeLessThan(1e-5);
    }
    await session.release();
  });

  it("of a model for very short texts is right to its last position", async () => {
    using own = createModel(device, architectureFor("bert", "sequence-classification"), createConfig({ modelType: "bert", ...sizes, maxPositionEmbeddings: 8 }), 3);
    const session = await InferenceSession.create(await modelToOnnx(own));
    for (const length of [1, 7, 8]) expect(largestDifference((await fileOutputs(session, 2, length))["logits"]!.data as Float32Array, (await heddleOutputs(own, 2, length))["logits"]!.data)).toBeLessThan(1e-5);
    await session.release();
  });

  it("in int8 is a third of the size or less, and close", async () => {
    using own = model("bert", "sequence-classification");
    const [exact, small] = await Promise.all((["fp32", "q8"] as const).map((dtype) => modelToOnnx(own, dtype)));
    expect(small!.length).toBeLessThan(exact!.length / 2.5);
    const session = await InferenceSession.create(small!);
    const wanted = (await heddleOutputs(own, 4, 12))["logits"]!.data;
    const actual = (await fileOutputs(session, 4, 12))["logits"]!.data as Float32Array;
    const difference = largestDifference(actual, wanted);
    expect(difference / Math.max(...Array.from(wanted, Math.abs))).toBeLessThan(0.05);
    expect(difference).toBeGreaterThan(1e-6);
    await session.release();
  });
});

describe("exportOnnx", () => {
  const files = { tokenizer: '{"version":"1.0"}', tokenizerConfig: { model_max_length: 16 }, files: { "special_tokens_map.json": "{}" } };
  const textFiles = ["config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"];
  const listing = (): string[] => readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => name.replaceAll("\\", "/")).sort();

  it("writes transformers.js's layout, says what it writes, and gives the sizes", async () => {
    using own = model("bert", "sequence-classification");
    const progress: unknown[] = [];
    const written = await exportOnnx(own, folder, files, { dtypes: ["q8", "fp32", "q8"], onProgress: (event) => progress.push(event) });
    expect(listing()).toEqual([...textFiles, "onnx", "onnx/model.onnx", "onnx/model_quantized.onnx"].sort());
    expect(progress).toEqual([{ file: "onnx/model_quantized.onnx", writtenFiles: 0, totalFiles: 2 }, { file: "onnx/model.onnx", writtenFiles: 1, totalFiles: 2 }]);
    for (const { name, sizeBytes } of written) expect(readFileSync(join(folder, name)).length, name).toBe(sizeBytes);
    expect(written.map(({ name }) => name).sort()).toEqual(listing().filter((name) => name.includes(".")));
    expect(JSON.parse(readFileSync(join(folder, "config.json"), "utf8"))).toMatchObject({ model_type: "bert", architectures: ["BertForSequenceClassification"], id2label: { 0: "bad", 2: "odd" } });
    const session = await InferenceSession.create(join(folder, "onnx/model.onnx"));
    expect(largestDifference((await fileOutputs(session, 2, 3))["logits"]!.data as Float32Array, (await heddleOutputs(own, 2, 3))["logits"]!.data)).toBeLessThan(1e-5);
    await session.release();
  });

  it("writes f32 alone unless told otherwise, and takes ONNX files of an earlier model away, but nothing else", async () => {
    using old = model("bert", "none", 1);
    await exportOnnx(old, folder, files, { dtypes: ["fp32", "q8"] });
    for (const name of ["model_q4f16.onnx", "model.onnx_data", "README.md", "other.onnx"]) writeFileSync(join(folder, "onnx", name), "");
    using next = model("distilbert", "none", 2);
    await exportOnnx(next, folder);
    expect(readdirSync(join(folder, "onnx")).sort()).toEqual(["README.md", "model.onnx", "other.onnx"]);
    const session = await InferenceSession.create(join(folder, "onnx/model.onnx"));
    expect(session.inputNames).toEqual(["input_ids", "attention_mask"]);
    await session.release();
  });

  /** Fails to open the file whose name ends so, as a full disk does. */
  const fullAt = (end: string): typeof nodeFs => ({
    ...nodeFs,
    open: async (...args) => {
      if (String(args[0]).includes(end)) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      return nodeFs.open(...args);
    },
  });

  it("leaves nothing, or the earlier export as it was, when the disk fills up at the last file", async () => {
    using old = model("bert", "none", 1);
    using next = model("bert", "none", 2);
    const empty = join(folder, "empty");
    await expect(exportOnnx(next, empty, files, { fileSystem: fullAt(".config.json") })).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(readdirSync(empty)).toEqual([]);
    await exportOnnx(old, folder, files, { dtypes: ["fp32", "q8"] });
    const before = listing();
    const bytes = readFileSync(join(folder, "onnx/model.onnx"));
    await expect(exportOnnx(next, folder, files, { fileSystem: fullAt(".config.json") })).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(listing()).toEqual(before);
    expect(Buffer.compare(readFileSync(join(folder, "onnx/model.onnx")), bytes)).toBe(0);
  });

  it("stops when it is told to, between files and before the first, and leaves nothing", async () => {
    using own = model("bert", "none");
    await expect(exportOnnx(own, folder, files, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    const controller = new AbortController();
    const onProgress = ({ writtenFiles }: { writtenFiles: number }): void => (writtenFiles === 1 ? controller.abort() : undefined);
    await expect(exportOnnx(own, folder, files, { dtypes: ["fp32", "q8"], signal: controller.signal, onProgress })).rejects.toMatchObject({ code: "ABORTED", message: expect.stringContaining("model_quantized.onnx") });
    expect(listing()).toEqual([]);
  });

  it("clears what a killed export left, and waits for nobody", async () => {
    using own = model("bert", "none");
    mkdirSync(join(folder, "onnx"));
    writeFileSync(join(folder, "onnx/.model.onnx.heddle-tmp-1-0"), "rest");
    await using lock = await lockFolder(folder);
    await expect(exportOnnx(own, folder)).rejects.toMatchObject({ code: "FOLDER_IN_USE" });
    await exportOnnx(own, folder, {}, { lock });
    expect(readdirSync(join(folder, "onnx"))).toEqual(["model.onnx"]);
  });

  it("names the dtypes that there are", async () => {
    using own = model("bert", "none");
    await expect(exportOnnx(own, folder, {}, { dtypes: ["q4" as OnnxDtype] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(/"q4".*fp32, q8/) });
    await expect(exportOnnx(own, folder, {}, { dtypes: [] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("no dtype") });
    await expect(exportOnnx(own, folder, { files: { "../x": "" } })).rejects.toMatchObject({ code: "FILE_NAME_INVALID" });
    expect(listing()).toEqual([]);
  });
});

it("isOnnxFile knows a model's files of any dtype, with weights inside or beside", () => {
  const names = ["onnx/model.onnx", "onnx/model_q4f16.onnx", "onnx/model.onnx_data", "onnx/model_fp16.onnx_data_1", "onnx/model.onnx.data", "model.onnx", "onnx/tokenizer.onnx", "onnx/model.txt"];
  expect(names.filter(isOnnxFile)).toEqual(names.slice(0, 5));
});
