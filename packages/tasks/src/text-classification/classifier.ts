import { pushModel, saveModel, type FolderLock, type ModelFolderSource, type PushedCommit, type PushOptions, type WrittenFile } from "@heddle/transformer";
import { openTextRunner, type LoadOptions } from "../inference/open-runner.ts";
import type { TextRunner } from "../inference/text-runner.ts";
import { exportTextModel, type OnnxOptions } from "../onnx/export.ts";
import { classifyTexts, evaluateRows } from "./answers.ts";
import { fitTextClassifier } from "./fit.ts";
import type { Classification, ClassifyOptions, EvaluateOptions, EvaluationReport, FitOptions, FitSummary, LabelledText } from "./types.ts";

/** Texts in, labels out: a trained model with its tokenizer on a device. */
export class TextClassifier {
  /** What is known of the training run; undefined for a classifier from a folder. */
  readonly summary: FitSummary | undefined;
  readonly #runner: TextRunner;
  readonly #release: () => void;

  /** @param release called once the runner is disposed of */
  constructor(runner: TextRunner, release: () => void, summary?: FitSummary) {
    this.#runner = runner;
    this.#release = release;
    this.summary = summary;
  }

  /**
   * Trains a classifier on labelled texts: a tokenizer and a small encoder from scratch, or a checkpoint fine-tuned.
   *
   * Errors: DATA_EMPTY, ONE_CLASS_ONLY, DATA_INVALID, ABORTED, and those of loading, training and saving.
   */
  static fit(rows: readonly LabelledText[], options: FitOptions = {}): Promise<TextClassifier> {
    return fitTextClassifier(rows, options, (runner, release, summary) => new TextClassifier(runner, release, summary));
  }

  /** Loads what `savePretrained` or Python's transformers wrote: a folder, or a model of the Hugging Face Hub. Errors: those of loading; WEIGHTS_MISSING without a trained head. */
  static async fromPretrained(source: ModelFolderSource, options: LoadOptions = {}): Promise<TextClassifier> {
    const { runner, release } = await openTextRunner(source, "sequence-classification", options, "fine-tune it first with TextClassifier.fit(rows, { model: FOLDER }) or `heddle train --model FOLDER`");
    return new TextClassifier(runner, release);
  }

  /** In the order of their ids. */
  get labels(): readonly string[] {
    return this.#runner.model.config.id2label;
  }

  /** Longest input in tokens; longer texts are cut at the end. */
  get maxLength(): number {
    return this.#runner.maxLength;
  }

  get numParameters(): number {
    return this.#runner.model.numParameters;
  }

  /** For people. */
  get deviceDescription(): string {
    return this.#runner.model.device.description;
  }

  /** The best labels of each text, best first. An empty text gets an answer too. */
  classify(texts: readonly string[], options: ClassifyOptions = {}): Promise<Classification[][]> {
    return classifyTexts(this.#runner, texts, options);
  }

  /** How many labelled rows it gets right. A label that it does not know counts as wrong and gives a warning. */
  evaluate(rows: readonly LabelledText[], options: EvaluateOptions = {}): Promise<EvaluationReport> {
    return evaluateRows(this.#runner, rows, options);
  }

  /** Writes a folder that `fromPretrained` and Python's transformers load (Node). Errors: FOLDER_NOT_WRITABLE, FOLDER_IN_USE, DISK_FULL. */
  async savePretrained(folder: string, { lock, signal }: { lock?: FolderLock; signal?: AbortSignal } = {}): Promise<void> {
    await saveModel(this.#runner.model, folder, this.#tokenizerFiles, { lock, signal });
  }

  /** Writes the same to a repository of the Hugging Face Hub, as one commit (Node). Errors: HUB_ACCESS_DENIED, UPLOAD_FAILED, ABORTED. */
  pushToHub(repository: string, options: PushOptions = {}): Promise<PushedCommit> {
    return pushModel(this.#runner.model, repository, this.#tokenizerFiles, options);
  }

  get #tokenizerFiles(): { tokenizer: object; tokenizerConfig: object } {
    const { tokenizerJson, tokenizerConfig } = this.#runner.tokenizer;
    return { tokenizer: tokenizerJson, tokenizerConfig: { ...tokenizerConfig, model_max_length: this.maxLength } };
  }

  /**
   * Writes a folder that transformers.js and onnxruntime load (Node). Errors: INVALID_ARGUMENT for an unknown dtype,
   * LIMIT_EXCEEDED, ABORTED, and those of `savePretrained`.
   */
  exportOnnx(folder: string, options: OnnxOptions = {}): Promise<WrittenFile[]> {
    return exportTextModel(this.#runner, folder, options);
  }

  /** Frees the model, and the device where it was opened for this classifier. */
  dispose(): void {
    this.#runner.dispose();
    this.#release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
