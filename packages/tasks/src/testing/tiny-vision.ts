import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createModel, parseConfig, saveModel, trainByteLevelBpe, type RgbImage } from "@heddle/transformer";

const TOWER = { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 24 };
const VISION = { ...TOWER, image_size: 12, patch_size: 4, initializer_range: 0.6 };

/** Folders with models of images with random weights, the same ones each time, and what prepares their images. */
export async function writeTinyVision(modelType: "vit" | "clip"): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-vision-"));
  const tokenizer = await trainByteLevelBpe(["a photo of a cat", "a photo of a red box"], { vocabSize: 290 });
  const clip = { text_config: { ...TOWER, vocab_size: tokenizer.vocabSize, max_position_embeddings: 77, eos_token_id: 3, bos_token_id: 2, pad_token_id: 0 }, vision_config: VISION, projection_dim: 8 };
  const config = parseConfig(modelType === "vit" ? { model_type: "vit", ...VISION, id2label: { 0: "cat", 1: "box", 2: "tree" } } : { model_type: "clip", ...clip });
  using model = createModel(new ReferenceDevice(), architectureFor(modelType, modelType === "vit" ? "image-classification" : "none"), config, 4);
  const processor = modelType === "vit" ? { image_processor_type: "ViTImageProcessor", size: { height: 12, width: 12 } } : { image_processor_type: "CLIPImageProcessor", size: { shortest_edge: 12 }, crop_size: { height: 12, width: 12 } };
  await saveModel(model, folder, { ...(modelType === "clip" && { tokenizer: tokenizer.tokenizerJson, tokenizerConfig: tokenizer.tokenizerConfig }), files: { "preprocessor_config.json": processor } });
  return folder;
}

/** Byte i is i²·31 + 17·i + ⌊7919·i / 8⌋, modulo 256. */
export function madeImage(width: number, height: number): RgbImage {
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * i * 31 + i * 17 + ((i * 7919) >> 3)) & 255) };
}
