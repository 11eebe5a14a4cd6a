import { createQuantizedState, HeddleError, QUANTIZATION_FORMATS, ReferenceDevice, toFloat16, zeroQuantizedTensor, type Device, type Program, type QuantizedState } from "@heddle/kernels";
import { describe, expect, it } from "vitest";
import { createConfig, parseConfig, type ModelType } from "../config/index.ts";
import { architectureFor, type Head } from "./architectures.ts";
import { createModel } from "./create.ts";
import { Model } from "./model.ts";
import { selfCheck } from "./self-check.ts";

interface Fault {
  /** The op that comes out wrong. */
  readonly op: string;
  /** From which time on that it occurs in a program. */
  readonly from: number;
}

/** A device like any other that has one kernel wrong: the reference by another name. */
function deviceWith(fault?: Fault): Device {
  const inner = new ReferenceDevice();
  return new Proxy(inner as Device, {
    get(target, key, receiver) {
      if (key === "kind") return "webgpu";
      if (key !== "prepare") return Reflect.get(target, key, receiver) as unknown;
      return (program: Program) => {
        const executable = ReferenceDevice.prototype.prepare.call(receiver as ReferenceDevice, program);
        const op = fault && program.nodes.find((node) => node.op.name === fault.op)?.op;
        if (!op) return executable;
        const right = op.reference!;
        const run: typeof executable.run = (inputs, options) => {
          let times = 0;
          const wrong: typeof right = (...args) => {
            const outputs = right(...args);
            if (++times > fault.from) for (const { data } of outputs) data.forEach((value, i) => (data[i] = value * 1.1 + 0.1));
            return outputs;
          };
          Object.assign(op, { reference: wrong });
          try {
            // The interpreter is done when it returns.
            return executable.run(inputs, options);
          } finally {
            Object.assign(op, { reference: right });
          }
        };
        return { ...executable, run };
      };
    },
  });
}

const sizes = { vocabSize: 40, hiddenSize: 16, numHiddenLayers: 3, numAttentionHeads: 2, intermediateSize: 24, maxPositionEmbeddings: 32, initializerRange: 0.5 };
const modelOn = (device: Device, modelType: ModelType, head: Head, more: object = {}) => createModel(device, architectureFor(modelType, head), createConfig({ modelType, ...sizes, ...more } as { modelType: "llama" }), 4);

describe("selfCheck", () => {
  it.each([
    ["bert", "sequence-classification", {}],
    ["roberta", "masked-lm", {}],
    ["modernbert", "none", { padTokenId: 0, bosTokenId: 1, eosTokenId: 2, clsTokenId: 1, sepTokenId: 2 }],
    ["deberta-v2", "none", {}],
    ["albert", "masked-lm", { embeddingSize: 8 }],
    ["distilbert", "none", {}],
    ["gpt2", "causal-lm", {}],
    ["llama", "causal-lm", { tieWordEmbeddings: true }],
    ["gemma3_text", "causal-lm", { headDim: 8, slidingWindow: 3, numKeyValueHeads: 1 }],
    ["sasrec", "next-item", { maxPositionEmbeddings: 2 }],
    ["bert4rec", "next-item", { numItems: 38 }],
    ["hstu", "next-item", {}],
  ] satisfies [ModelType, Head, object][])("compares all layers of a small %s", async (modelType, head, more) => {
    const device = deviceWith();
    using model = modelOn(device, modelType, head, more);
    const held = device.memory.currentBytes;
    expect(await selfCheck(model)).toBe(3);
    expect(device.memory.currentBytes).toBe(held);
  });

  it.each([
    ["llama", "causal-lm", { op: "attention", from: 1 }, /layer 1 \(model\.layers\.1\) comes out wrong on reference/],
    ["llama", "causal-lm", { op: "attention", from: 0 }, /layer 0 \(model\.layers\.0\)/],
    ["bert", "sequence-classification", { op: "attention", from: 2 }, /layer 2 \(bert\.encoder\.layer\.2\)/],
    ["bert", "masked-lm", { op: "embedding", from: 0 }, /the embeddings comes out wrong.*selfCheck: false/],
  ] satisfies [ModelType, Head, Fault, RegExp][])("names the layer of a %s for %s that comes out wrong: %o", async (modelType, head, fault, message) => {
    using model = modelOn(deviceWith(fault), modelType, head);
    const error: unknown = await selfCheck(model).catch((caught: unknown) => caught);
    expect(HeddleError.isInstance(error) && error.code).toBe("SELF_CHECK_FAILED");
    expect((error as Error).message).toMatch(message);
  });

  it("takes the first layer of a larger model, and leaves out what would take long", async () => {
    using larger = modelOn(deviceWith(), "llama", "causal-lm", { hiddenSize: 256, intermediateSize: 1024, numHiddenLayers: 12 });
    expect(await selfCheck(larger)).toBe(1);
    using reference = modelOn(new ReferenceDevice(), "llama", "causal-lm");
    expect(await selfCheck(reference)).toBe(0);
  });

  const halves = { vocab_size: 40, d_model: 16, encoder_layers: 2, decoder_layers: 2, encoder_attention_heads: 2, decoder_attention_heads: 2, encoder_ffn_dim: 24, decoder_ffn_dim: 24 };
  it.each([
    ["t5", "seq2seq-lm", { vocab_size: 40, d_model: 16, d_kv: 8, d_ff: 24, num_layers: 2, num_heads: 2 }, 2],
    ["bart", "seq2seq-lm", halves, 2],
    ["whisper", "seq2seq-lm", { ...halves, num_mel_bins: 8, max_source_positions: 40 }, 2],
    ["vit", "image-classification", { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 24, image_size: 32, patch_size: 8 }, 2],
  ] satisfies [ModelType, Head, object, number][])("reads short texts, sounds and images of a %s for %s", async (model_type, head, json, layers) => {
    const modelOf = (device: Device) => createModel(device, architectureFor(model_type, head), parseConfig({ model_type, ...json }), 4);
    using right = modelOf(deviceWith());
    expect(await selfCheck(right)).toBe(layers);
    using wrong = modelOf(deviceWith({ op: "attention", from: 1 }));
    await expect(selfCheck(wrong)).rejects.toMatchObject({ code: "SELF_CHECK_FAILED" });
  });

  it.each(["half", "few bits"])("takes weights in %s as the device holds them", async (held) => {
    const device = deviceWith();
    using floats = modelOn(device, "llama", "causal-lm");
    const parameters = new Map(floats.parameters);
    const quantized = new Map<string, QuantizedState>();
    for (const [name, { type }] of floats.parameters) {
      if (type.shape.length !== 2) continue;
      const shape = type.shape as [number, number];
      if (held === "half") parameters.set(name, device.createState(name, { dtype: "f16", shape }, toFloat16((await device.readStates([floats.parameters.get(name)!]))[0] as Float32Array)));
      else {
        const zeros = zeroQuantizedTensor(QUANTIZATION_FORMATS[0]!, shape);
        const steps = { ...zeros.values, data: zeros.values.data.map((_, i) => Math.imul(i + 1, 2_654_435_761)) };
        quantized.set(name, createQuantizedState(device, name, { ...zeros, values: steps, scales: { ...zeros.scales, data: toFloat16(Float32Array.from(zeros.scales.data, () => 0.01)) } }));
        parameters.delete(name);
      }
    }
    using model = new Model(floats.architecture, floats.config, device, parameters, quantized);
    const before = device.memory.currentBytes;
    expect([await selfCheck(model), device.memory.currentBytes]).toEqual([3, before]);
  });
});
