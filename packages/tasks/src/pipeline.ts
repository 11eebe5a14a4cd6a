import { HeddleError } from "@heddle/kernels";
import type { ModelFolderSource, RgbImage } from "@heddle/transformer";
import { FeatureExtractor, type FeatureExtractorOptions } from "./feature-extraction/extractor.ts";
import { MaskFiller, type FilledMask, type FillMaskOptions } from "./fill-mask/filler.ts";
import { ImageClassifier, type ImageClassificationOptions } from "./image-classification/classifier.ts";
import type { ImageLoadOptions } from "./inference/open-image-model.ts";
import type { LoadOptions } from "./inference/open-runner.ts";
import { QuestionAnswerer } from "./question-answering/answerer.ts";
import type { Answer, Question, QuestionAnsweringOptions } from "./question-answering/types.ts";
import { TextClassifier } from "./text-classification/classifier.ts";
import type { Classification, ClassifyOptions } from "./text-classification/types.ts";
import { Text2TextGenerator, type Text2TextLoadOptions, type Text2TextOptions } from "./text2text-generation/generator.ts";
import { TokenClassifier } from "./token-classification/classifier.ts";
import type { EntityGroup, TokenClassificationOptions, TokenEntity } from "./token-classification/types.ts";
import { ZeroShotImageClassifier, type ZeroShotImageOptions } from "./zero-shot-image-classification/classifier.ts";
import { ZeroShotClassifier, type ZeroShotClassification, type ZeroShotOptions } from "./zero-shot-classification/classifier.ts";

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

export interface TokenClassificationPipeline extends Disposable {
  /** Tokens with their labels, or stretches of the text with an `aggregationStrategy`. */
  (text: string, options?: TokenClassificationOptions & { readonly aggregationStrategy?: "none" }): Promise<TokenEntity[]>;
  (text: string, options: TokenClassificationOptions): Promise<EntityGroup[]>;
  (texts: readonly string[], options?: TokenClassificationOptions & { readonly aggregationStrategy?: "none" }): Promise<TokenEntity[][]>;
  (texts: readonly string[], options: TokenClassificationOptions): Promise<EntityGroup[][]>;
  readonly labels: readonly string[];
}

export interface QuestionAnsweringPipeline extends Disposable {
  /** The best answer; with `topK` a list, best first. */
  (question: Question, options?: QuestionAnsweringOptions & { readonly topK?: undefined }): Promise<Answer>;
  (question: Question, options: QuestionAnsweringOptions & { readonly topK: number }): Promise<Answer[]>;
  (questions: readonly Question[], options?: QuestionAnsweringOptions & { readonly topK?: undefined }): Promise<Answer[]>;
  (questions: readonly Question[], options: QuestionAnsweringOptions & { readonly topK: number }): Promise<Answer[][]>;
}

export interface FillMaskPipeline extends Disposable {
  /** The likeliest tokens for the one mask of a text, best first; `MaskFiller` takes texts with several. */
  (text: string, options?: FillMaskOptions): Promise<FilledMask[]>;
  (texts: readonly string[], options?: FillMaskOptions): Promise<FilledMask[][]>;
  /** What a gap is written as: "[MASK]" or "<mask>". */
  readonly maskToken: string;
}

export interface ZeroShotClassificationPipeline extends Disposable {
  (text: string, candidateLabels: readonly string[], options?: ZeroShotOptions): Promise<ZeroShotClassification>;
  (texts: readonly string[], candidateLabels: readonly string[], options?: ZeroShotOptions): Promise<ZeroShotClassification[]>;
}

/** A model that makes one text of another, as a function; `Key` is what its answers are called. */
export interface Text2TextPipeline<Key extends string> extends Disposable {
  (text: string, options?: Text2TextOptions): Promise<Record<Key, string>[]>;
  /** One answer a text, in their order. */
  (texts: readonly string[], options?: Text2TextOptions): Promise<Record<Key, string>[]>;
}

export interface ImageClassificationPipeline extends Disposable {
  /** The best labels of a decoded image, best first; five without `topK`. */
  (image: RgbImage, options?: ImageClassificationOptions): Promise<Classification[]>;
  (images: readonly RgbImage[], options?: ImageClassificationOptions): Promise<Classification[][]>;
  readonly labels: readonly string[];
}

export interface ZeroShotImageClassificationPipeline extends Disposable {
  /** All labels, best first. */
  (image: RgbImage, candidateLabels: readonly string[], options?: ZeroShotImageOptions): Promise<Classification[]>;
  (images: readonly RgbImage[], candidateLabels: readonly string[], options?: ZeroShotImageOptions): Promise<Classification[][]>;
}

interface PipelineTasks {
  readonly "text-classification": { readonly pipeline: TextClassificationPipeline; readonly options: TextClassificationPipelineOptions };
  readonly "sentiment-analysis": PipelineTasks["text-classification"];
  readonly "feature-extraction": { readonly pipeline: FeatureExtractionPipeline; readonly options: FeatureExtractionPipelineOptions };
  readonly "token-classification": { readonly pipeline: TokenClassificationPipeline; readonly options: LoadOptions };
  readonly ner: PipelineTasks["token-classification"];
  readonly "question-answering": { readonly pipeline: QuestionAnsweringPipeline; readonly options: LoadOptions };
  readonly "fill-mask": { readonly pipeline: FillMaskPipeline; readonly options: LoadOptions };
  readonly "text2text-generation": { readonly pipeline: Text2TextPipeline<"generatedText">; readonly options: Text2TextLoadOptions };
  readonly summarization: { readonly pipeline: Text2TextPipeline<"summaryText">; readonly options: Text2TextLoadOptions };
  readonly translation: { readonly pipeline: Text2TextPipeline<"translationText">; readonly options: Text2TextLoadOptions };
  readonly "zero-shot-classification": { readonly pipeline: ZeroShotClassificationPipeline; readonly options: LoadOptions };
  readonly "image-classification": { readonly pipeline: ImageClassificationPipeline; readonly options: ImageLoadOptions };
  readonly "zero-shot-image-classification": { readonly pipeline: ZeroShotImageClassificationPipeline; readonly options: ImageLoadOptions };
}

export type PipelineTask = keyof PipelineTasks;

const openers: { readonly [T in PipelineTask]: (source: ModelFolderSource, options: PipelineTasks[T]["options"]) => Promise<PipelineTasks[T]["pipeline"]> } = {
  "text-classification": classificationPipeline,
  "sentiment-analysis": classificationPipeline,
  "feature-extraction": featurePipeline,
  "token-classification": tokenPipeline,
  ner: tokenPipeline,
  "question-answering": questionPipeline,
  "fill-mask": maskPipeline,
  "text2text-generation": (source, options) => text2TextPipeline(source, options, "generatedText"),
  summarization: (source, options) => text2TextPipeline(source, { task: "summarization", ...options }, "summaryText"),
  translation: (source, options) => text2TextPipeline(source, { task: "translation", ...options }, "translationText"),
  "zero-shot-classification": zeroShotPipeline,
  "image-classification": imagePipeline,
  "zero-shot-image-classification": zeroShotImagePipeline,
};

/**
 * A model as a function, by Hugging Face's task names; results have the keys of transformers' pipelines, in camelCase. Any number
 * of inputs a call: they go through the model in batches of similar length, one upload and one readback each, and come back in their
 * order.
 *
 * @param model an id of the Hugging Face Hub, a folder's path (Node) or address, picked files, or a classifier that was just trained
 * Errors: those of loading; INVALID_ARGUMENT for an unknown task.
 */
export function pipeline(task: "text-classification" | "sentiment-analysis", model: ModelFolderSource | TextClassifier, options?: TextClassificationPipelineOptions): Promise<TextClassificationPipeline>;
export function pipeline<T extends PipelineTask>(task: T, model: ModelFolderSource, options?: PipelineTasks[T]["options"]): Promise<PipelineTasks[T]["pipeline"]>;
/** Such as "translation_en_to_de", which also chooses among the tasks that a T5 was trained on. */
export function pipeline(task: `translation_${string}_to_${string}`, model: ModelFolderSource, options?: Text2TextLoadOptions): Promise<Text2TextPipeline<"translationText">>;
export async function pipeline<T extends PipelineTask>(task: T | `translation_${string}_to_${string}`, model: ModelFolderSource | TextClassifier, options: PipelineTasks[T]["options"] = {}): Promise<PipelineTasks[PipelineTask]["pipeline"]> {
  if (/^translation_.+_to_.+$/.test(task) && !(model instanceof TextClassifier)) return openers.translation(model, { task, ...options });
  if (!isTask(task)) throw new HeddleError("INVALID_ARGUMENT", `[pipeline] there is no task ${JSON.stringify(task)}; known are ${Object.keys(openers).join(", ")}`);
  if (!(model instanceof TextClassifier)) return openers[task](model, options);
  if (task !== "text-classification" && task !== "sentiment-analysis") throw new HeddleError("INVALID_ARGUMENT", `[pipeline] a TextClassifier gives labels, it is not for ${task}: pass a folder`);
  return classificationPipeline(model, options);
}

const isTask = (name: string): name is PipelineTask => Object.hasOwn(openers, name);

/** A function with the parts of an object, and its end. */
function withEnd<F extends object, P extends object>(call: F, owner: { dispose(): void }, parts: P): F & P & Disposable {
  const dispose = (): void => owner.dispose();
  return Object.assign(call, parts, { dispose, [Symbol.dispose]: dispose });
}

async function tokenPipeline(source: ModelFolderSource, options: LoadOptions): Promise<TokenClassificationPipeline> {
  const classifier = await TokenClassifier.fromPretrained(source, options);
  const classify = async (texts: string | readonly string[], callOptions?: TokenClassificationOptions) => {
    const found = await classifier.classify(typeof texts === "string" ? [texts] : texts, callOptions);
    return typeof texts === "string" ? found[0]! : found;
  };
  return withEnd(classify as TokenClassificationPipeline, classifier, { labels: classifier.labels });
}

async function questionPipeline(source: ModelFolderSource, options: LoadOptions): Promise<QuestionAnsweringPipeline> {
  const answerer = await QuestionAnswerer.fromPretrained(source, options);
  const answer = async (questions: Question | readonly Question[], callOptions: QuestionAnsweringOptions = {}) => {
    const isOne = "question" in questions;
    const lists = await answerer.answer(isOne ? [questions] : questions, callOptions);
    const answers = callOptions.topK === undefined ? lists.map(([best]) => best ?? { score: 0, start: 0, end: 0, answer: "" }) : lists;
    return isOne ? answers[0]! : answers;
  };
  return withEnd(answer as QuestionAnsweringPipeline, answerer, {});
}

async function maskPipeline(source: ModelFolderSource, options: LoadOptions): Promise<FillMaskPipeline> {
  const filler = await MaskFiller.fromPretrained(source, options);
  const fill = async (texts: string | readonly string[], callOptions?: FillMaskOptions) => {
    const filled = await filler.fill(typeof texts === "string" ? [texts] : texts, callOptions);
    const several = filled.findIndex((masks) => masks.length > 1);
    if (several >= 0) throw new HeddleError("INVALID_ARGUMENT", `[fill-mask] text ${several} has ${filled[several]!.length} masks: leave one, or use MaskFiller, which fills several`);
    return typeof texts === "string" ? filled[0]![0]! : filled.map(([only]) => only!);
  };
  return withEnd(fill as FillMaskPipeline, filler, { maskToken: filler.maskToken });
}

async function text2TextPipeline<Key extends string>(source: ModelFolderSource, options: Text2TextLoadOptions, key: Key): Promise<Text2TextPipeline<Key>> {
  const generator = await Text2TextGenerator.fromPretrained(source, options);
  const write = async (texts: string | readonly string[], callOptions?: Text2TextOptions) => {
    const written = await generator.generate(typeof texts === "string" ? [texts] : texts, callOptions);
    return written.map(({ text }) => ({ [key]: text }) as Record<Key, string>);
  };
  return withEnd(write, generator, {});
}

async function zeroShotPipeline(source: ModelFolderSource, options: LoadOptions): Promise<ZeroShotClassificationPipeline> {
  const classifier = await ZeroShotClassifier.fromPretrained(source, options);
  const classify = async (texts: string | readonly string[], candidateLabels: readonly string[], callOptions?: ZeroShotOptions) => {
    const found = await classifier.classify(typeof texts === "string" ? [texts] : texts, candidateLabels, callOptions);
    return typeof texts === "string" ? found[0]! : found;
  };
  return withEnd(classify as ZeroShotClassificationPipeline, classifier, {});
}

const isOneImage = (images: RgbImage | readonly RgbImage[]): images is RgbImage => "width" in images;

async function imagePipeline(source: ModelFolderSource, options: ImageLoadOptions): Promise<ImageClassificationPipeline> {
  const classifier = await ImageClassifier.fromPretrained(source, options);
  const classify = async (images: RgbImage | readonly RgbImage[], callOptions?: ImageClassificationOptions) => {
    const found = await classifier.classify(isOneImage(images) ? [images] : images, callOptions);
    return isOneImage(images) ? found[0]! : found;
  };
  return withEnd(classify as ImageClassificationPipeline, classifier, { labels: classifier.labels });
}

async function zeroShotImagePipeline(source: ModelFolderSource, options: ImageLoadOptions): Promise<ZeroShotImageClassificationPipeline> {
  const classifier = await ZeroShotImageClassifier.fromPretrained(source, options);
  const classify = async (images: RgbImage | readonly RgbImage[], candidateLabels: readonly string[], callOptions?: ZeroShotImageOptions) => {
    const found = await classifier.classify(isOneImage(images) ? [images] : images, candidateLabels, callOptions);
    return isOneImage(images) ? found[0]! : found;
  };
  return withEnd(classify as ZeroShotImageClassificationPipeline, classifier, {});
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
  return withEnd(classify, { dispose }, { labels: classifier.labels });
}

async function featurePipeline(source: ModelFolderSource, { batchSize, ...options }: FeatureExtractionPipelineOptions): Promise<FeatureExtractionPipeline> {
  const extractor = await FeatureExtractor.fromPretrained(source, options);
  function extract(text: string, options?: { signal?: AbortSignal }): Promise<Float32Array>;
  function extract(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>;
  async function extract(texts: string | readonly string[], { signal }: { signal?: AbortSignal } = {}): Promise<Float32Array | Float32Array[]> {
    const vectors = await extractor.extract(typeof texts === "string" ? [texts] : texts, { batchSize, signal });
    return typeof texts === "string" ? vectors[0]! : vectors;
  }
  return withEnd(extract, extractor, { hiddenSize: extractor.hiddenSize });
}
