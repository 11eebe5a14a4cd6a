import type { ModelFolderSource, RgbImage } from "@heddle/transformer";
import { ImageRunner, type RunImagesOptions } from "../inference/image-runner.ts";
import { openImageModel, type ImageLoadOptions } from "../inference/open-image-model.ts";
import { checkTopK, defaultFunctionToApply, labelScores, type FunctionToApply } from "../text-classification/scores.ts";
import type { Classification } from "../text-classification/types.ts";

export interface ImageClassificationOptions extends RunImagesOptions {
  /** How many labels an image gets, best first. Default 5. `null`: all. */
  readonly topK?: number | null;
  /** Default: what the model was trained with. */
  readonly functionToApply?: FunctionToApply;
}

const DEFAULT_TOP_K = 5;

/** Images in, labels out: ViT. transformers' `ImageClassificationPipeline`. */
export class ImageClassifier {
  private constructor(private readonly runner: ImageRunner) {}

  /** Loads a folder with an image classification head and its preprocessor_config.json. Errors: those of `openImageModel`. */
  static async fromPretrained(source: ModelFolderSource, options: ImageLoadOptions = {}): Promise<ImageClassifier> {
    return new ImageClassifier(new ImageRunner(await openImageModel(source, "image-classification", options)));
  }

  /** In the order of their ids. */
  get labels(): readonly string[] {
    return this.runner.opened.model.config.id2label;
  }

  /** The best labels of each decoded image, best first. Throws INVALID_ARGUMENT, ABORTED, DISPOSED. */
  async classify(images: readonly RgbImage[], { topK = DEFAULT_TOP_K, functionToApply, ...options }: ImageClassificationOptions = {}): Promise<Classification[][]> {
    const { config } = this.runner.opened.model;
    const k = checkTopK(topK, config.numLabels);
    const apply = functionToApply ?? defaultFunctionToApply(config);
    const results = await this.runner.run(images, `classify/${apply}/${k}`, ({ logits }) => labelScores(logits!, k, apply), {}, options);
    return results.map(({ ids, scores }) => Array.from(ids!, (id, i) => ({ label: config.id2label[id]!, score: scores![i]! })));
  }

  /** Frees the model, and the device where it was opened for this classifier. */
  dispose(): void {
    this.runner.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
