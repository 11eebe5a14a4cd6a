import { HeddleError, type HostTensor } from "@heddle/kernels";
import { logMelSpectrogram, resample, SAMPLE_RATE, type Sound } from "../audio/index.ts";
import { openModelFolder, readJson, type HubOptions, type ModelFolder, type ModelFolderSource } from "../checkpoint/index.ts";
import { parseConfig } from "../config/index.ts";
import { ImageProcessor, parseImageProcessorConfig, type RgbImage } from "../image/index.ts";
import { tokenizerOf, type Tokenizer } from "../text/index.ts";

/** Frames of 10 ms to one place of Whisper's encoder. */
const FRAMES_PER_PLACE = 2;

/** All that makes a model's inputs of what people have: texts, images, sounds. Which of it there is depends on the model. */
export class Processor {
  constructor(
    private readonly label: string,
    readonly tokenizer: Tokenizer | undefined,
    readonly imageProcessor: ImageProcessor | undefined,
    /** What Whisper's spectrogram has. */
    private readonly spectrogram: { readonly melBins: number; readonly frames: number } | undefined,
  ) {}

  /** `pixelValues`, f32 [images, 3, height, width]. Throws INVALID_ARGUMENT, also for a model that sees nothing. */
  images(images: readonly RgbImage[]): HostTensor {
    if (!this.imageProcessor) throw new HeddleError("INVALID_ARGUMENT", `[${this.label}] is no model of images: choose a ViT or CLIP folder`);
    return this.imageProcessor.preprocess(images);
  }

  /** `inputFeatures`, f32 [1, mel bins, frames]: one window of a recording of any rate. Throws INVALID_ARGUMENT for a model that hears nothing. */
  audio(sound: Sound): HostTensor {
    if (!this.spectrogram) throw new HeddleError("INVALID_ARGUMENT", `[${this.label}] is no model of sounds: choose a Whisper folder`);
    return logMelSpectrogram(resample(sound, SAMPLE_RATE), this.spectrogram);
  }
}

/** A folder's processor. Errors: CONFIG_INVALID, CONFIG_MISSING for a model of images without its preprocessor_config.json, TOKENIZER_INVALID. */
export async function processorOf(folder: ModelFolder): Promise<Processor> {
  const config = parseConfig(folder.configText);
  const seesImages = config.modelType === "vit" || config.modelType === "clip";
  const tokenizer = folder.tokenizerText === undefined ? undefined : tokenizerOf(folder);
  const spectrogram = config.modelType === "whisper" ? { melBins: config.numMelBins, frames: FRAMES_PER_PLACE * config.maxSourcePositions } : undefined;
  return new Processor(folder.label, tokenizer, seesImages ? new ImageProcessor(parseImageProcessorConfig(await storedImageProcessor(folder))) : undefined, spectrogram);
}

/** preprocessor_config.json, or the part of processor_config.json where transformers 5 keeps it. */
async function storedImageProcessor(folder: ModelFolder): Promise<unknown> {
  const stored = (await readJson(folder, "preprocessor_config.json")) ?? ((await readJson(folder, "processor_config.json")) as { image_processor?: unknown } | undefined)?.image_processor;
  if (stored === undefined) throw new HeddleError("CONFIG_MISSING", `[${folder.label}] has no preprocessor_config.json, which says how images are sized and normalised: download it into the folder`);
  return stored;
}

export const AutoProcessor = {
  /** What makes a model's inputs: its tokenizer, its image processor, its spectrogram. Errors: those of `openModelFolder` and `processorOf`. */
  async fromPretrained(source: ModelFolderSource, options: HubOptions = {}): Promise<Processor> {
    await using folder = await openModelFolder(source, options);
    return processorOf(folder);
  },
};
