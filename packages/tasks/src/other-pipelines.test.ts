import { rm } from "node:fs/promises";
import { ReferenceDevice } from "@heddle/kernels";
import { AutoProcessor } from "@heddle/transformer";
import { afterAll, describe, expect, it } from "vitest";
import { pipeline } from "./pipeline.ts";
import { writeTinyEncoder } from "./testing/tiny-encoder.ts";
import { writeTinySeq2Seq } from "./testing/tiny-seq2seq.ts";
import { madeImage, writeTinyVision } from "./testing/tiny-vision.ts";
import { Text2TextGenerator } from "./text2text-generation/generator.ts";

// The numbers are those of Python's pipelines (transformers 4.57.1, Pillow 11.3) for the very folders that are written here: the same seed
// gives the same weights everywhere.

const device = new ReferenceDevice();
const task_specific_params = {
  summarization: { prefix: "sum: ", num_beams: 3, length_penalty: 2, early_stopping: true, no_repeat_ngram_size: 2, max_new_tokens: 9, min_length: 4 },
  translation_en_to_de: { prefix: "de: ", num_beams: 1, max_new_tokens: 7 },
};
const t5 = await writeTinySeq2Seq("t5", { config: { task_specific_params } });
const vit = await writeTinyVision("vit");
const clip = await writeTinyVision("clip");
const bert = await writeTinyEncoder("none");
afterAll(async () => {
  for (const folder of [t5, vit, clip, bert]) await rm(folder, { recursive: true, force: true });
});

const images = [madeImage(20, 15), madeImage(13, 18)];
const short = (found: readonly { label: string; score: number }[]) => found.map(({ label, score }) => [label, Number(score.toFixed(4))]);

describe("text2text-generation", () => {
  it("writes by the options of the model and its task: beams for a summary, prefix and all", async () => {
    const before = device.memory.currentBytes;
    const generator = await Text2TextGenerator.fromPretrained(t5, { device, task: "summarization" });
    const written = await generator.generate(["the parcel was late", "box"]);
    expect(written.map(({ tokens }) => tokens)).toEqual([[231, 231, 255, 255, 116, 116, 8, 116, 271], [54, 54, 84, 51, 105, 212, 212, 265, 212]]);
    generator.dispose();
    expect(device.memory.currentBytes).toBe(before);
    await expect(generator.generate(["x"])).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it("takes translation tasks by their languages, and options over those of the model", async () => {
    using translate = await pipeline("translation_en_to_de", t5, { device });
    const generator = await Text2TextGenerator.fromPretrained(t5, { device, task: "translation_en_to_de" });
    const written = await generator.generate(["the parcel was late", "box"]);
    expect(written.map(({ tokens }) => tokens)).toEqual([[231, 220, 237, 255, 47, 231, 28], [12, 247, 247, 247, 247, 247, 247]]);
    expect(await translate(["the parcel was late", "box"])).toEqual(written.map(({ text }) => ({ translationText: text })));
    const warnings: string[] = [];
    const [once] = await generator.generate(["box ".repeat(60)], { maxNewTokens: 3, onWarning: ({ code }) => warnings.push(code) });
    expect([once!.tokens.length, once!.finishReason, warnings]).toEqual([3, "length", ["TEXT_TRUNCATED"]]);
    generator.dispose();
  });
});

describe("image-classification", () => {
  it("gives Python's labels and scores for decoded images", async () => {
    using classify = await pipeline("image-classification", vit, { device });
    expect((await classify(images)).map(short)).toEqual([[["box", 0.9513], ["cat", 0.0286], ["tree", 0.0201]], [["tree", 0.8717], ["cat", 0.1136], ["box", 0.0146]]]);
    expect(short(await classify(images[1]!, { topK: 1 }))).toEqual([["tree", 0.8717]]);
    await expect(pipeline("image-classification", clip, { device })).rejects.toMatchObject({ code: "ARCHITECTURE_UNKNOWN" });
  });
});

describe("zero-shot-image-classification", () => {
  it("finds the label that fits an image best, as Python's pipeline does", async () => {
    const before = device.memory.currentBytes;
    const classify = await pipeline("zero-shot-image-classification", clip, { device });
    expect((await classify(images, ["cat", "red box", "tree house"])).map(short)).toEqual([[["red box", 0.9222], ["cat", 0.0738], ["tree house", 0.004]], [["cat", 0.984], ["red box", 0.0157], ["tree house", 0.0003]]]);
    await expect(classify(images[0]!, [])).rejects.toThrow(/no labels/);
    classify.dispose();
    expect(device.memory.currentBytes).toBe(before);
    await expect(pipeline("zero-shot-image-classification", bert, { device })).rejects.toThrow(/sees no images/);
  });
});

describe("AutoProcessor", () => {
  it("prepares what a model takes, and says what it does not", async () => {
    const [both, sees, reads] = [await AutoProcessor.fromPretrained(clip), await AutoProcessor.fromPretrained(vit), await AutoProcessor.fromPretrained(bert)];
    expect([both.tokenizer?.encode("").ids, sees.tokenizer, both.images(images).shape, sees.images(images).shape]).toEqual([[2, 3], undefined, [2, 3, 12, 12], [2, 3, 12, 12]]);
    expect(() => reads.images(images)).toThrow(/no model of images/);
    expect(() => reads.audio({ samples: new Float32Array(10), sampleRate: 16000 })).toThrow(/no model of sounds/);
  });
});
