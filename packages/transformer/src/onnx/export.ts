import { exportToOnnx, HeddleError } from "@heddle/kernels";
import { textFiles, type ModelFolderContents } from "../checkpoint/folder/write.ts";
import { writeTogether, type FileToWrite, type WriteModelFolderOptions, type WrittenFile } from "../checkpoint/folder/write-together.ts";
import type { StagedFile } from "../checkpoint/source/atomic-file.ts";
import { configToJson } from "../config/index.ts";
import type { Model } from "../models/model.ts";
import { checkDtypes, isOnnxFile, onnxFileOf, type OnnxDtype } from "./dtypes.ts";
import { onnxInputs, onnxOutputs } from "./signature.ts";

export interface ExportOnnxOptions extends WriteModelFolderOptions {
  /** One file for each. Default `["fp32"]`. */
  readonly dtypes?: readonly OnnxDtype[];
  /** Called before each ONNX file. */
  readonly onProgress?: (progress: { readonly file: string; readonly writtenFiles: number; readonly totalFiles: number }) => void;
}

/** Bytes between two looks at the signal. */
const PIECE_BYTES = 2 ** 24;

/**
 * A model as one ONNX file of standard operators (opset 21), with the inputs and outputs that Hugging Face's Optimum
 * writes: `input_ids`, `attention_mask` and, where the family has them, `token_type_ids`, i64 [batch_size, sequence_length], or
 * `pixel_values`, f32 [batch_size, channels, height, width]; `logits`, or `start_logits` and `end_logits`, or `last_hidden_state`, f32.
 *
 * @returns the file's bytes
 * @throws LIMIT_EXCEEDED for weights of more than 2 GiB
 */
export async function modelToOnnx(model: Model, dtype: OnnxDtype = "fp32"): Promise<Uint8Array<ArrayBuffer>> {
  return exportToOnnx(model.device, { name: model.architecture.name, ...onnxInputs(model.config), int8: dtype === "q8" }, (inputs) => onnxOutputs(model.forward(inputs)));
}

/**
 * Writes a folder that transformers.js and onnxruntime load: `onnx/model.onnx` and its like, config.json, and what else is
 * given, e.g. the tokenizer. All of it appears at once, as with `saveModel`; ONNX files of an earlier model go.
 *
 * @param extra tokenizer files and others by plain name
 * @returns the files written, with their sizes
 * @throws INVALID_ARGUMENT for an unknown dtype, LIMIT_EXCEEDED, ABORTED, FOLDER_NOT_WRITABLE, FOLDER_IN_USE, DISK_FULL
 */
export async function exportOnnx(model: Model, folder: string, extra: Omit<ModelFolderContents, "config" | "tensors" | "metadata"> = {}, options: ExportOnnxOptions = {}): Promise<WrittenFile[]> {
  const { signal, onProgress } = options;
  const dtypes = checkDtypes(options.dtypes ?? ["fp32"]);
  const graphs = dtypes.map((dtype, i): FileToWrite => {
    const name = onnxFileOf(dtype);
    const write = async (file: StagedFile): Promise<void> => {
      throwIfAborted(signal, name);
      onProgress?.({ file: name, writtenFiles: i, totalFiles: dtypes.length });
      const bytes = await modelToOnnx(model, dtype);
      for (let begin = 0; begin < bytes.length; begin += PIECE_BYTES) {
        throwIfAborted(signal, name);
        await file.write(bytes.subarray(begin, begin + PIECE_BYTES));
      }
      await file.seal();
    };
    return { name, write };
  });
  const config = configToJson({ ...model.config, architectures: [model.architecture.name] });
  return writeTogether(folder, [...graphs, ...textFiles({ ...extra, config })], options, isOnnxFile);
}

function throwIfAborted(signal: AbortSignal | undefined, file: string): void {
  if (signal?.aborted) throw new HeddleError("ABORTED", `[exportOnnx] was stopped before ${file} was written`, { cause: signal.reason });
}
