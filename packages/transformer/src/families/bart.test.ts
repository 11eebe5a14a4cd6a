import { compile, ReferenceDevice, type HostTensor } from "@heddle/kernels";
import { expect, it } from "vitest";
import { parseConfig } from "../config/index.ts";
import { architectureFor } from "../models/architectures.ts";
import { createModel } from "../models/create.ts";
import { Model } from "../models/model.ts";

const ids = (...rows: number[][]): HostTensor => ({ shape: [rows.length, rows[0]!.length], data: Int32Array.from(rows.flat()) });

it("classifies by the decoder's state at the last token that ends a text, of texts shifted behind the start token", async () => {
  const device = new ReferenceDevice();
  const config = parseConfig({ model_type: "bart", vocab_size: 40, d_model: 8, encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2, decoder_attention_heads: 2, encoder_ffn_dim: 12, decoder_ffn_dim: 12, max_position_embeddings: 16, init_std: 0.5, id2label: { 0: "contradiction", 1: "neutral", 2: "entailment" } });
  using model = createModel(device, architectureFor("bart", "sequence-classification"), config, 3);
  const inputs = { inputIds: ids([0, 5, 6, 2, 2, 7, 8, 2], [0, 9, 2, 2, 11, 2, 1, 1]), attentionMask: ids([1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0, 0]) };
  using classify = compile(device, "classify", ({ inputIds, attentionMask }) => ({ logits: model.forward({ inputIds: inputIds!, attentionMask: attentionMask! }).logits! }));
  const logits = (await classify.run(inputs))["logits"]!.data;

  const bare = new Model(architectureFor("bart", "none"), config, device, new Map([...model.parameters].map(([name, state]) => [name.replace(/^model\./, ""), state])));
  using read = compile(device, "read", ({ inputIds, attentionMask, decoderInputIds }) => ({ hidden: bare.forward({ inputIds: inputIds!, attentionMask: attentionMask!, decoderInputIds: decoderInputIds! }).lastHiddenState }));
  const { hidden } = await read.run({ ...inputs, decoderInputIds: ids([2, 0, 5, 6, 2, 2, 7, 8], [2, 0, 9, 2, 2, 11, 2, 1]) });
  const names = ["dense.weight", "dense.bias", "out_proj.weight", "out_proj.bias"].map((name) => model.parameters.get(`classification_head.${name}`)!);
  const [dense, denseBias, out, outBias] = (await device.readStates(names)) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const product = (weight: Float32Array, bias: Float32Array, x: readonly number[]) => Array.from(bias, (start, row) => x.reduce((sum, value, i) => sum + value * weight[row * x.length + i]!, start));
  for (const [row, at] of [7, 5].entries()) {
    const pooled = Array.from(hidden!.data.slice((row * 8 + at) * 8, (row * 8 + at + 1) * 8));
    const wanted = product(out, outBias, product(dense, denseBias, pooled).map(Math.tanh));
    wanted.forEach((value, label) => expect(logits[row * 3 + label]).toBeCloseTo(value, 4));
  }
});
