import { dequantizeWeight, type QuantizedState, type State } from "@heddle/kernels";
import { writeModelFolder, type ModelFolderContents, type TensorToWrite, type WriteModelFolderOptions } from "../checkpoint/index.ts";
import { configToJson } from "../config/index.ts";
import type { Model } from "./model.ts";

/** States as tensors for a safetensors file, each read back when its turn comes. */
export function statesToWrite(states: ReadonlyMap<string, State>): TensorToWrite[] {
  return [...states].map(([name, state]) => ({
    name,
    dtype: "F32" as const,
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

/** Writes a folder that Python's transformers loads: config.json, model.safetensors and what else is given, e.g. the tokenizer. */
export async function saveModel(model: Model, folder: string, extra: Omit<ModelFolderContents, "config" | "tensors"> = {}, options: WriteModelFolderOptions = {}): Promise<void> {
  const config = configToJson({ ...model.config, architectures: [model.architecture.name] });
  await writeModelFolder(folder, { ...extra, config, tensors: [...statesToWrite(model.parameters), ...quantizedToWrite(model.quantized)] }, options);
}
