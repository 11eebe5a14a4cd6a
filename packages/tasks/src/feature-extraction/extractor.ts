import { openModelFolder, textConfigOf, type ModelFolderSource, type WrittenFile } from "@heddle/transformer";
import { HeldDevice } from "../inference/device.ts";
import { loadTextModel } from "../inference/load.ts";
import type { LoadOptions } from "../inference/open-runner.ts";
import { TextRunner, type RunTextsOptions } from "../inference/text-runner.ts";
import { exportTextModel, type OnnxOptions } from "../onnx/export.ts";
import { pooledFeatures, storedPooling, type Pooling, type PoolingChoice } from "./pooling.ts";

export interface FeatureExtractorOptions extends LoadOptions {
  /** Default: what sentence-transformers wrote beside the model, else "none". */
  readonly pooling?: Pooling;
  /** Vectors of length 1. Default: what sentence-transformers wrote beside the model, else false. */
  readonly normalize?: boolean;
}

/** Texts in, vectors out. */
export class FeatureExtractor {
  private constructor(
    private readonly runner: TextRunner,
    private readonly release: () => void,
    private readonly choice: PoolingChoice,
  ) {}

  static async fromPretrained(source: ModelFolderSource, { device, int8, pooling, normalize, ...options }: FeatureExtractorOptions = {}): Promise<FeatureExtractor> {
    await using folder = await openModelFolder(source, options);
    const stored = pooling !== undefined && normalize !== undefined ? { pooling, normalize } : await storedPooling(folder);
    const held = new HeldDevice(device, options.log, int8);
    try {
      const { model, tokenizer, maxLength } = await loadTextModel(held, folder, { ...options, head: "none" });
      return new FeatureExtractor(new TextRunner(model, tokenizer, maxLength, int8), () => held.release(), { pooling: pooling ?? stored.pooling, normalize: normalize ?? stored.normalize });
    } catch (error) {
      held.release();
      throw error;
    }
  }

  get pooling(): Pooling {
    return this.choice.pooling;
  }

  /** Numbers in a vector. */
  get hiddenSize(): number {
    return textConfigOf(this.runner.model.config).hiddenSize;
  }

  /** One vector [hiddenSize] per text; without pooling [tokens · hiddenSize], row-major. */
  async extract(texts: readonly string[], options: RunTextsOptions = {}): Promise<Float32Array[]> {
    const { pooling, normalize } = this.choice;
    const { results, lengths } = await this.runner.run(texts, `features/${pooling}/${normalize ? "normalized" : "plain"}`, pooledFeatures(this.choice), options);
    return results.map(({ features }, i) => (pooling === "none" ? features!.slice(0, lengths[i]! * this.hiddenSize) : features!) as Float32Array);
  }

  /**
   * Writes a folder that transformers.js and onnxruntime load (Node). Its vectors are those of tokens: pass this extractor's
   * pooling and normalisation to transformers.js with each call. Errors: INVALID_ARGUMENT for an unknown dtype,
   * LIMIT_EXCEEDED, ABORTED, FOLDER_NOT_WRITABLE, FOLDER_IN_USE, DISK_FULL.
   */
  exportOnnx(folder: string, options: OnnxOptions = {}): Promise<WrittenFile[]> {
    return exportTextModel(this.runner, folder, options);
  }

  /** Frees the model, and the device where it was opened for this extractor. */
  dispose(): void {
    this.runner.dispose();
    this.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
