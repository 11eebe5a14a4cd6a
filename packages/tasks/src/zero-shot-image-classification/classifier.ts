import { HeddleError, softmax } from "@heddle/kernels";
import { textConfigOf, type ModelFolderSource, type RgbImage, type Tokenizer } from "@heddle/transformer";
import { checkTexts } from "../inference/encode.ts";
import { ImageRunner, type RunImagesOptions } from "../inference/image-runner.ts";
import { openImageModel, type ImageLoadOptions } from "../inference/open-image-model.ts";
import type { Classification } from "../text-classification/types.ts";

export interface ZeroShotImageOptions extends RunImagesOptions {
  /** A sentence with {} where the label goes. Default "This is a photo of {}." */
  readonly hypothesisTemplate?: string;
}

const DEFAULT_TEMPLATE = "This is a photo of {}.";

/** Images and labels of the moment in, scores out: how well "This is a photo of LABEL." fits, by CLIP. transformers' `ZeroShotImageClassificationPipeline`. */
export class ZeroShotImageClassifier {
  private constructor(
    private readonly runner: ImageRunner,
    private readonly tokenizer: Tokenizer,
  ) {}

  /** Loads a CLIP folder with its tokenizer and preprocessor_config.json. Errors: those of `openImageModel`; TOKENIZER_MISSING; INVALID_ARGUMENT for a model that reads no texts. */
  static async fromPretrained(source: ModelFolderSource, options: ImageLoadOptions = {}): Promise<ZeroShotImageClassifier> {
    const opened = await openImageModel(source, "none", options);
    const runner = new ImageRunner(opened);
    try {
      textConfigOf(opened.model.config);
      if (!opened.tokenizer) throw new HeddleError("TOKENIZER_MISSING", "[zero-shot-image-classification] the folder has no tokenizer.json: download it into the folder");
      return new ZeroShotImageClassifier(runner, opened.tokenizer);
    } catch (error) {
      runner.dispose();
      throw error;
    }
  }

  /** All labels for each decoded image, best first; the scores of an image add up to 1. Throws INVALID_ARGUMENT, ABORTED, DISPOSED. */
  async classify(images: readonly RgbImage[], candidateLabels: readonly string[], { hypothesisTemplate = DEFAULT_TEMPLATE, ...options }: ZeroShotImageOptions = {}): Promise<Classification[][]> {
    checkTexts(candidateLabels);
    if (candidateLabels.length === 0) throw new HeddleError("INVALID_ARGUMENT", "[zero-shot-image-classification] there are no labels to choose from: pass at least one");
    if (!hypothesisTemplate.includes("{}")) throw new HeddleError("INVALID_ARGUMENT", `[zero-shot-image-classification] the template ${JSON.stringify(hypothesisTemplate)} has no {} for the label: write for example ${JSON.stringify(DEFAULT_TEMPLATE)}`);
    const { maxPositionEmbeddings: maxLength } = textConfigOf(this.runner.opened.model.config);
    const { batch, length, inputIds, attentionMask } = this.tokenizer.encodeBatch(candidateLabels.map((label) => hypothesisTemplate.replaceAll("{}", () => label)), { maxLength });
    const shape = [batch, length];
    const texts = { inputIds: { shape, data: inputIds }, attentionMask: { shape, data: attentionMask } };
    const results = await this.runner.run(images, "zero-shot-image-classification", ({ logitsPerImage }) => ({ scores: softmax(logitsPerImage!) }), texts, options);
    return results.map(({ scores }) => Array.from(scores!, (score, i) => ({ label: candidateLabels[i]!, score })).sort((a, b) => b.score - a.score));
  }

  /** Frees the model, and the device where it was opened for this classifier. */
  dispose(): void {
    this.runner.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
