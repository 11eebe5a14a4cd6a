import { HeddleError } from "@heddle/kernels";
import type { ModelFolderSource } from "@heddle/transformer";
import { FeatureExtractor, type FeatureExtractorOptions } from "./feature-extraction/extractor.ts";
import { TextClassifier } from "./text-classification/classifier.ts";
import type { Classification, ClassifyOptions, LoadOptions } from "./text-classification/types.ts";

export interface TextClassificationPipelineOptions extends LoadOptions, Pick<ClassifyOptions, "topK" | "functionToApply" | "batchSize" | "onWarning"> {}

export interface FeatureExtractionPipelineOptions extends FeatureExtractorOptions {
  readonly batchSize?: number;
}

interface Disposable {
  /** Frees what the pipeline loaded; a classifier that was passed in stays its owner's. */
  dispose(): void;
  [Symbol.dispose](): void;
}

export interface TextClassificationPipeline extends Disposable {
  /** The best labels of one text, best first; the best one alone without `topK`. */
  (text: string, options?: ClassifyOptions): Promise<Classification[]>;
  /** The same for each text, in their order. */
  (texts: readonly string[], options?: ClassifyOptions): Promise<Classification[][]>;
  readonly labels: readonly string[];
}

export interface FeatureExtractionPipeline extends Disposable {
  /** [hiddenSize]; without pooling [tokens · hiddenSize], row-major. */
  (text: string, options?: { signal?: AbortSignal }): Promise<Float32Array>;
  (texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>;
  readonly hiddenSize: number;
}

/**
 * A model as a function of texts, by Hugging Face's task names. Any number of texts a call: they go through
 * the model in batches of similar length, one upload and one readback each, and come back in their order.
 *
 * @param model an id of the Hugging Face Hub, a folder's path (Node) or address, picked files, or a classifier that was just trained
 * Errors: those of loading; INVALID_ARGUMENT for an unknown task.
 */
export function pipeline(task: "text-classification" | "sentiment-analysis", model: ModelFolderSource | TextClassifier, options?: TextClassificationPipelineOptions): Promise<TextClassificationPipeline>;
export function pipeline(task: "feature-extraction", model: ModelFolderSource, options?: FeatureExtractionPipelineOptions): Promise<FeatureExtractionPipeline>;
export async function pipeline(task: string, model: ModelFolderSource | TextClassifier, options: TextClassificationPipelineOptions & FeatureExtractionPipelineOptions = {}): Promise<TextClassificationPipeline | FeatureExtractionPipeline> {
  if (task === "text-classification" || task === "sentiment-analysis") return classificationPipeline(model, options);
  if (task === "feature-extraction" && !(model instanceof TextClassifier)) return featurePipeline(model, options);
  const known = "text-classification, sentiment-analysis, feature-extraction";
  throw new HeddleError("INVALID_ARGUMENT", `[pipeline] ${task === "feature-extraction" ? "a TextClassifier gives labels, not features: pass its folder" : `there is no task ${JSON.stringify(task)}; known are ${known}`}`);
}

async function classificationPipeline(model: ModelFolderSource | TextClassifier, { topK, functionToApply, batchSize, onWarning, ...loading }: TextClassificationPipelineOptions): Promise<TextClassificationPipeline> {
  if (loading.int8 && model instanceof TextClassifier) throw new HeddleError("INVALID_ARGUMENT", "[pipeline] int8 is chosen when a model is loaded: save the classifier with savePretrained(FOLDER) and pass that folder");
  const classifier = model instanceof TextClassifier ? model : await TextClassifier.fromPretrained(model, loading);
  const defaults = { topK, functionToApply, batchSize, onWarning };
  const dispose = (): void => {
    if (classifier !== model) classifier.dispose();
  };
  function classify(text: string, options?: ClassifyOptions): Promise<Classification[]>;
  function classify(texts: readonly string[], options?: ClassifyOptions): Promise<Classification[][]>;
  async function classify(texts: string | readonly string[], options: ClassifyOptions = {}): Promise<Classification[] | Classification[][]> {
    const answers = await classifier.classify(typeof texts === "string" ? [texts] : texts, { ...defaults, ...options });
    return typeof texts === "string" ? answers[0]! : answers;
  }
  return Object.assign(classify, { labels: classifier.labels, dispose, [Symbol.dispose]: dispose });
}

async function featurePipeline(source: ModelFolderSource, { batchSize, ...options }: FeatureExtractionPipelineOptions): Promise<FeatureExtractionPipeline> {
  const extractor = await FeatureExtractor.fromPretrained(source, options);
  const dispose = (): void => extractor.dispose();
  function extract(text: string, options?: { signal?: AbortSignal }): Promise<Float32Array>;
  function extract(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>;
  async function extract(texts: string | readonly string[], { signal }: { signal?: AbortSignal } = {}): Promise<Float32Array | Float32Array[]> {
    const vectors = await extractor.extract(typeof texts === "string" ? [texts] : texts, { batchSize, signal });
    return typeof texts === "string" ? vectors[0]! : vectors;
  }
  return Object.assign(extract, { hiddenSize: extractor.hiddenSize, dispose, [Symbol.dispose]: dispose });
}
