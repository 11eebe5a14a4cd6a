import { HeddleError, ReferenceDevice } from "@heddle/kernels";
import { exportOnnx, openModelFolder, type ExportOnnxOptions, type Head, type HubAccess, type LoadProgress, type Model, type ModelFolderSource, type Tokenizer, type WrittenFile } from "@heddle/transformer";
import { storedPooling, type PoolingChoice } from "../feature-extraction/pooling.ts";
import { HeldDevice } from "../inference/device.ts";
import { loadTextModel } from "../inference/load.ts";

/** What to write, and how to hear of it; `dtypes` by transformers.js's names, by default `["fp32"]`. */
export type OnnxOptions = Pick<ExportOnnxOptions, "dtypes" | "lock" | "signal" | "onProgress">;

export interface ExportPretrainedOptions extends OnnxOptions, HubAccess {
  /** Hears how far the download and the weights are, before there is anything to write. */
  readonly onLoadProgress?: (progress: LoadProgress) => void;
  /** Hears that the Hub cannot be reached. Default: `console.warn`. */
  readonly log?: (line: string) => void;
}

/** What was written, and what transformers.js has to be told to use it. */
export interface OnnxExportSummary {
  /** By path in the folder. */
  readonly files: readonly WrittenFile[];
  /** transformers.js's name of what the model does. */
  readonly task: string;
  /** Of a sentence encoder: what to pass with each call. */
  readonly pooling?: PoolingChoice;
}

/** Names of pipelines. */
const TASKS: Readonly<Record<Head, string>> = {
  none: "feature-extraction",
  "sequence-classification": "text-classification",
  "token-classification": "token-classification",
  "question-answering": "question-answering",
  "masked-lm": "fill-mask",
  "causal-lm": "text-generation",
  "seq2seq-lm": "text2text-generation",
  "image-classification": "image-classification",
  "next-item": "next-item",
};

const SPECIAL_TOKENS_FILE = "special_tokens_map.json";

interface TextModel {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly maxLength: number;
}

/** A loaded model with its tokenizer, which learns how long texts may be. */
export function exportTextModel({ model, tokenizer, maxLength }: TextModel, folder: string, options: OnnxOptions, files: Readonly<Record<string, string>> = {}): Promise<WrittenFile[]> {
  // Without line breaks, as pages download it.
  const vocabulary = JSON.stringify(tokenizer.tokenizerJson);
  return exportOnnx(model, folder, { tokenizer: vocabulary, tokenizerConfig: { ...tokenizer.tokenizerConfig, model_max_length: maxLength }, files }, options);
}

/**
 * A model of any known family and head, from a folder or the Hugging Face Hub, as a folder that transformers.js and onnxruntime load (Node). Nothing is
 * computed, so no device is needed.
 *
 * Errors: those of loading; WEIGHTS_MISSING without a trained head; INVALID_ARGUMENT for an unknown dtype, LIMIT_EXCEEDED
 * for weights of more than 2 GiB, ABORTED, FOLDER_NOT_WRITABLE, FOLDER_IN_USE, DISK_FULL.
 */
export async function exportPretrained(source: ModelFolderSource, folder: string, options: ExportPretrainedOptions = {}): Promise<OnnxExportSummary> {
  const { onLoadProgress, dtypes: _, lock: __, ...access } = options;
  const loading = { ...access, onProgress: onLoadProgress };
  await using opened = await openModelFolder(source, loading);
  const loaded = await loadTextModel(new HeldDevice(new ReferenceDevice(), undefined), opened, loading);
  using model = loaded.model;
  const { head } = model.architecture;
  // A bare encoder is exported without its pooler.
  if (head !== "none" && loaded.missing.length > 0) {
    throw new HeddleError("WEIGHTS_MISSING", `[${opened.label}] lacks ${loaded.missing.join(", ")}, which ${model.architecture.name} needs: train it first, e.g. with \`heddle train --model FOLDER\``);
  }
  const specialTokens = await opened.readText(SPECIAL_TOKENS_FILE);
  const files = await exportTextModel(loaded, folder, options, specialTokens === undefined ? {} : { [SPECIAL_TOKENS_FILE]: specialTokens });
  // A pooling that Heddle does not know is no reason not to export the encoder below it.
  const pooling = head === "none" ? await storedPooling(opened).catch(() => undefined) : undefined;
  return { files, task: TASKS[head], ...(pooling && pooling.pooling !== "none" && { pooling }) };
}
