import { dequantizeWeight, type QuantizedState, type State } from "@heddle/kernels";
import { pushModelFolder, writeModelFolder, type ModelFolderContents, type PushedCommit, type PushOptions, type TensorToWrite, type WriteModelFolderOptions } from "../checkpoint/index.ts";
import { configToJson } from "../config/index.ts";
import type { Model } from "./model.ts";

/** States as tensors for a safetensors file, each read back when its turn comes. */
export function statesToWrite(states: ReadonlyMap<string, State>): TensorToWrite[] {
  return [...states].map(([name, state]) => ({
    name,
    dtype: state.type.dtype === "f16" ? ("F16" as const) : ("F32" as const),
    shape: state.type.shape,
    data: async () => (await state.device.readStates([state]))[0]!,
  }));
}

/** Weights in few bits, worked out to f32. */
function quantizedToWrite(weights: ReadonlyMap<string, QuantizedState>): TensorToWrite[] {
  return [...weights].map(([name, { format, shape, values, scales }]) => ({
    name,
    dtype: "F32" as const,
    shape,
    data: async () => {
      const [steps, halves] = await values.device.readStates([values, scales]);
      return dequantizeWeight({ format, shape, values: { shape: values.type.shape, data: steps! }, scales: { shape: scales.type.shape, data: halves! } }).data;
    },
  }));
}

/** What a model's folder has beside the model: its tokenizer, more files. */
export interface ExtraContents extends Omit<ModelFolderContents, "config" | "tensors"> {
  /** Tensors of the weights' file that are no parameters of the model. */
  readonly tensors?: readonly TensorToWrite[];
}

/** Writes a folder that Python's transformers loads: config.json, model.safetensors and what else is given, e.g. the tokenizer. */
export async function saveModel(model: Model, folder: string, extra: ExtraContents = {}, options: WriteModelFolderOptions = {}): Promise<void> {
  await writeModelFolder(folder, contentsOf(model, extra), options);
}

/** Writes the same to a repository of the Hugging Face Hub: see `pushModelFolder`. */
export async function pushModel(model: Model, repository: string, extra: ExtraContents = {}, options: PushOptions = {}): Promise<PushedCommit> {
  return pushModelFolder(repository, contentsOf(model, extra), options);
}

function contentsOf(model: Model, extra: ExtraContents): ModelFolderContents {
  const isHalf = [...model.parameters.values()].some(({ type }) => type.dtype === "f16");
  return { ...extra, config: configToJson({ ...model.config, architectures: [model.architecture.name] }, isHalf ? "float16" : "float32"), tensors: [...statesToWrite(model.parameters), ...quantizedToWrite(model.quantized), ...(extra.tensors ?? [])] };
}
