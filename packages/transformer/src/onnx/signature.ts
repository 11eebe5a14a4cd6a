import { transpose, type OnnxExport, type OnnxInput, type Tensor } from "@heddle/kernels";
import type { ClipConfig, ImageConfig, ModelConfig } from "../config/index.ts";
import type { ModelOutputs } from "../models/outputs.ts";

// Inputs and outputs of a model's ONNX file, by the names that Hugging Face's Optimum gives them and transformers.js asks for.

/** [batch, length], i64 as tokenizers give them. */
const ids = (name: string, batch = "batch_size"): OnnxInput => ({ dtype: "i32", shape: [batch, "sequence_length"], as: { name, type: "i64" } });

/** [batch, channels, height, width]. */
const pixels = ({ numChannels, imageSize }: ImageConfig, batch = "batch_size"): OnnxInput => ({ dtype: "f32", shape: [batch, numChannels, ...imageSize], as: { name: "pixel_values", type: "f32" } });

/** By the names that `Model.forward` takes them under; texts end where the table of positions does. */
export function onnxInputs(config: ModelConfig): Pick<OnnxExport, "inputs" | "limits"> {
  if ("patchSize" in config) return { inputs: { pixelValues: pixels(config) } };
  if ("visionConfig" in config) return onnxPairInputs(config);
  const hasTypes = "typeVocabSize" in config && config.typeVocabSize > 0;
  const inputs = { inputIds: ids("input_ids"), attentionMask: ids("attention_mask"), ...(hasTypes && { tokenTypeIds: ids("token_type_ids") }) };
  return { inputs, limits: { sequence_length: config.maxPositionEmbeddings } };
}

/** Of texts and images, any number of each. */
function onnxPairInputs({ textConfig, visionConfig }: ClipConfig): Pick<OnnxExport, "inputs" | "limits"> {
  const [ofTexts, ofImages] = ["text_batch_size", "image_batch_size"];
  const inputs = { inputIds: ids("input_ids", ofTexts), pixelValues: pixels(visionConfig, ofImages), attentionMask: ids("attention_mask", ofTexts) };
  return { inputs, limits: { sequence_length: textConfig.maxPositionEmbeddings } };
}

/** The head's outputs; the last hidden state of a model without one. */
export function onnxOutputs({ logits, startLogits, endLogits, lastHiddenState, logitsPerImage, textEmbeds, imageEmbeds }: ModelOutputs): Record<string, Tensor> {
  if (logitsPerImage) return { logits_per_image: logitsPerImage, logits_per_text: transpose(logitsPerImage, [1, 0]), text_embeds: textEmbeds!, image_embeds: imageEmbeds! };
  if (logits) return { logits };
  if (startLogits && endLogits) return { start_logits: startLogits, end_logits: endLogits };
  return { last_hidden_state: lastHiddenState };
}
