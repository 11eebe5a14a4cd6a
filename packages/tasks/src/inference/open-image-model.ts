import { HeddleError } from "@heddle/kernels";
import { loadModel, modelPlan, openModelFolder, processorOf, type Head, type ImageProcessor, type Model, type ModelFolderSource, type Tokenizer } from "@heddle/transformer";
import { HeldDevice } from "./device.ts";
import type { LoadOptions } from "./open-runner.ts";
import { modelTrial, USUAL_BATCH } from "./trial.ts";

export type ImageLoadOptions = Omit<LoadOptions, "int8">;

export interface OpenedImageModel {
  readonly model: Model;
  readonly imageProcessor: ImageProcessor;
  readonly tokenizer: Tokenizer | undefined;
  /** Disposes of the device where it was opened for the model. */
  release(): void;
}

/** A folder's model of images with what prepares them. Errors: those of loading and `processorOf`; INVALID_ARGUMENT for a model that sees nothing; WEIGHTS_MISSING without a trained head. */
export async function openImageModel(source: ModelFolderSource, head: Head, { device, ...options }: ImageLoadOptions): Promise<OpenedImageModel> {
  await using folder = await openModelFolder(source, options);
  const { architecture, config } = modelPlan(folder, { head });
  const { imageProcessor, tokenizer } = await processorOf(folder);
  if (!imageProcessor) throw new HeddleError("INVALID_ARGUMENT", `[${folder.label}] is a ${config.modelType} model, which sees no images: choose a ViT or CLIP folder`);
  const held = new HeldDevice(device, options.log);
  try {
    const { model, missing } = await loadModel(await held.open(() => modelTrial(architecture, config, USUAL_BATCH)), folder, { ...options, head });
    if (missing.length > 0) {
      model.dispose();
      throw new HeddleError("WEIGHTS_MISSING", `[${folder.label}] has no trained head for ${head} (${missing.join(", ")}): choose a checkpoint that was trained for this task`);
    }
    return { model, imageProcessor, tokenizer, release: () => held.release() };
  } catch (error) {
    held.release();
    throw error;
  }
}
