import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, hostTensor, placeholder, ReferenceDevice, trace } from "@heddle/kernels";
import { afterAll, describe, expect, it } from "vitest";
import { writeSafetensors } from "../checkpoint/index.ts";
import { createConfig, MODEL_TYPES, parseConfig, type ModelConfig } from "../config/index.ts";
import { inference } from "../nn/forward-mode.ts";
import { Scope } from "../nn/scope.ts";
import { architectureFor, type Architecture, type Head } from "./architectures.ts";
import { createModel } from "./create.ts";
import { loadModel } from "./load.ts";
import type { Model } from "./model.ts";
import { parametersOf } from "./parameters.ts";
import { saveModel } from "./save.ts";

const device = new ReferenceDevice();
const folder = await mkdtemp(join(tmpdir(), "heddle-half-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const HEADS: readonly Head[] = ["none", "sequence-classification", "token-classification", "question-answering", "masked-lm", "causal-lm", "seq2seq-lm", "image-classification"];

/** By all of the families' names. */
const SMALL = { num_hidden_layers: 1, encoder_layers: 1, decoder_layers: 1, num_layers: 1, n_layer: 1, n_layers: 1, max_position_embeddings: 32 };

/** Every architecture of a family. */
function architecturesOf(modelType: ModelConfig["modelType"]): Architecture[] {
  return HEADS.flatMap((head) => {
    try {
      return [architectureFor(modelType, head)];
    } catch {
      return [];
    }
  });
}

describe("matrices in half precision", () => {
  it.each(MODEL_TYPES)("are what %s multiplies with and looks up in, and nothing else", (modelType) => {
    const config = parseConfig({ model_type: modelType, ...SMALL });
    for (const architecture of architecturesOf(modelType)) {
      const halves = new Set(parametersOf(architecture, config).flatMap(({ name, matrix }) => (matrix ? [name] : [])));
      expect(halves.size).toBeGreaterThan(0);
      // An op that half precision does not serve refuses it here.
      trace(architecture.name, architecture.smallestInputs(config), (inputs) => {
        const scope = new Scope(({ name, shape }) => placeholder(name, { dtype: halves.has(name) ? "f16" : "f32", shape }));
        architecture.forward(scope, config, inputs, inference);
        return {};
      });
    }
  });
});

const config = createConfig({ modelType: "llama", vocabSize: 31, hiddenSize: 16, numHiddenLayers: 2, numAttentionHeads: 4, numKeyValueHeads: 2, headDim: 4, intermediateSize: 12, maxPositionEmbeddings: 16, tieWordEmbeddings: true });

async function logitsOf(model: Model): Promise<Float32Array> {
  using forward = compile(device, "logits", ({ inputIds }) => ({ logits: model.forward({ inputIds: inputIds! }).logits! }));
  return (await forward.run({ inputIds: hostTensor(Int32Array.of(3, 1, 4, 15), [1, 4]) }))["logits"]!.data as Float32Array;
}

describe("loading in float16", () => {
  it("halves the matrices, computes nearly the same, and is saved as it is", async () => {
    using model = createModel(device, architectureFor("llama", "causal-lm"), config, 5);
    await saveModel(model, folder);
    const before = device.memory.currentBytes;
    using half = (await loadModel(device, folder, { dtype: "float16" })).model;
    expect(device.memory.currentBytes - before).toBeLessThan(0.6 * before);
    const [exact, near] = [await logitsOf(model), await logitsOf(half)];
    const largest = Math.max(...exact.map(Math.abs));
    expect(Math.max(...exact.map((value, i) => Math.abs(value - near[i]!)))).toBeLessThan(5e-3 * largest);
    await saveModel(half, join(folder, "half"));
    expect(JSON.parse(await readFile(join(folder, "half/config.json"), "utf8"))).toMatchObject({ dtype: "float16" });
    using again = (await loadModel(device, join(folder, "half"), { dtype: "float16" })).model;
    expect(await device.readStates([...again.parameters.values()])).toEqual(await device.readStates([...half.parameters.values()]));
  });

  it("refuses what it cannot hold or read", async () => {
    await expect(loadModel(device, folder, { dtype: "bfloat16" as "float16" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("bfloat16 are converted") as string });
    const quantised = join(folder, "quantised");
    using model = createModel(device, architectureFor("llama", "causal-lm"), config, 5);
    await saveModel(model, quantised);
    const stored = JSON.parse(await readFile(join(quantised, "config.json"), "utf8")) as object;
    await writeFile(join(quantised, "config.json"), JSON.stringify({ ...stored, quantization_config: { quant_method: "gptq", bits: 4 } }));
    await expect(loadModel(device, quantised)).rejects.toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining("quantised by gptq") as string });
    await writeFile(join(quantised, "config.json"), JSON.stringify(stored));
    // Whole numbers are the weights that they say; a number beyond float16 is refused.
    const tensors = [...model.parameters].map(([name, { type }], i) => {
      const count = type.shape.reduce((a, b) => a * b, 1);
      return i === 0 ? { name, dtype: "I8" as const, shape: type.shape, data: new Int8Array(count).fill(-3) } : { name, dtype: "F32" as const, shape: type.shape, data: new Float32Array(count).fill(i === 1 ? 1e5 : 1) };
    });
    await writeSafetensors(join(quantised, "model.safetensors"), tensors);
    using whole = (await loadModel(device, quantised)).model;
    expect((await device.readStates([[...whole.parameters.values()][0]!]))[0]![0]).toBe(-3);
  });
});
