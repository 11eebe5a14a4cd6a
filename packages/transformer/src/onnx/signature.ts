import type { OnnxExport, OnnxInput, Tensor } from "@heddle/kernels";
import type { ImageConfig, ModelConfig } from "../config/index.ts";
import type { ModelOutputs } from "../models/outputs.ts";

// Inputs and outputs of a model's ONNX file, by the names that Hugging Face's Optimum gives them and transformers.js asks for.

/** [batch, length], i64 as tokenizers give them. */
const ids = (name: string): OnnxInput => ({ dtype: "i32", shape: ["batch_size", "sequence_length"], as: { name, type: "i64" } });

const pixels = ({ numChannels, imageSize }: ImageConfig): OnnxInput => ({ dtype: "f32", shape: ["batch_size", numChannels, ...imageSize], as: { name: "pixel_values", type: "f32" } });

/** By the names that `Model.forward` takes them under; texts end where the table of positions does. */
export function onnxInputs(config: ModelConfig): Pick<OnnxExport, "inputs" | "limits"> {
  if ("patchSize" in config) return { inputs: { pixelValues: pixels(config) } };
  const hasTypes = "typeVocabSize" in config && config.typeVocabSize > 0;
  const inputs = { inputIds: ids("input_ids"), attentionMask: ids("attention_mask"), ...(hasTypes && { tokenTypeIds: ids("token_type_ids") }) };
  return { inputs, limits: { sequence_length: config.maxPositionEmbeddings } };
}

/** The head's outputs; the last hidden state of a model without one. */
export function onnxOutputs({ logits, startLogits, endLogits, lastHiddenState }: ModelOutputs): Record<string, Tensor> {
  if (logits) return { logits };
  if (startLogits && endLogits) return { start_logits: startLogits, end_logits: endLogits };
  return { last_hidden_state: lastHiddenState };
}
