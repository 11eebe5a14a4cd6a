import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReferenceDevice } from "@heddle/kernels";
import { afterAll, describe, expect, it } from "vitest";
import { createConfig } from "../config/index.ts";
import { trainByteLevelBpe } from "../text/index.ts";
import { AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer } from "./auto.ts";

const folder = await mkdtemp(join(tmpdir(), "heddle-auto-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const config = createConfig({ modelType: "qwen3", vocabSize: 280, hiddenSize: 16, numHiddenLayers: 1, numAttentionHeads: 2, numKeyValueHeads: 1, headDim: 8, intermediateSize: 12, maxPositionEmbeddings: 32 });

describe("auto classes", () => {
  it("save and load by Hugging Face's names, and say what started at random", async () => {
    const device = new ReferenceDevice();
    const tokenizer = await trainByteLevelBpe(["some text"], { vocabSize: 280 });
    {
      using model = await AutoModelForCausalLM.fromConfig(config, { device, seed: 3 });
      await model.savePretrained(folder, { tokenizer: tokenizer.tokenizerJson, tokenizerConfig: tokenizer.tokenizerConfig });
    }
    const warnings: string[] = [];
    const options = { device, onWarning: (message: string) => warnings.push(message) };
    using model = await AutoModelForCausalLM.fromPretrained(folder, options);
    expect([model.architecture.name, warnings]).toEqual(["Qwen3ForCausalLM", []]);
    using classifier = await AutoModelForSequenceClassification.fromPretrained(folder, { ...options, labels: ["no", "yes"] });
    using bare = await AutoModel.fromPretrained(folder, options);
    expect([classifier.architecture.name, classifier.config.id2label, bare.architecture.name]).toEqual(["Qwen3ForSequenceClassification", ["no", "yes"], "Qwen3Model"]);
    expect(warnings).toEqual([
      "[AutoModelForSequenceClassification] not in the checkpoint, so started at random, and to be trained first: score.weight",
      "[AutoModelForSequenceClassification] in the checkpoint, but not used: lm_head.weight",
      "[AutoModel] in the checkpoint, but not used: lm_head.weight",
    ]);
    expect((await AutoTokenizer.fromPretrained(folder)).encode("some text")).toEqual(tokenizer.encode("some text"));
  });

  it("open a device by its name, which goes with the model", async () => {
    const model = await AutoModelForCausalLM.fromPretrained(folder, { device: "reference" });
    expect(model.device.memory.currentBytes).toBeGreaterThan(0);
    model.dispose();
    await expect(AutoModelForCausalLM.fromPretrained(join(folder, "nowhere"), { device: "reference" })).rejects.toMatchObject({ code: "MODEL_FOLDER_NOT_FOUND" });
  });
});
