import { bytesPerElement, formatShape, HeddleError, sizeOf, toFloat16, type Device } from "@heddle/kernels";
import { openModelFolder, type DownloadProgress, type HubOptions, type ModelFolder, type ModelFolderSource, type ModelWeights } from "../checkpoint/index.ts";
import { parseConfig, withLabels, type ModelConfig } from "../config/index.ts";
import { initialize } from "../nn/initialize.ts";
import type { ParameterSpec } from "../nn/scope.ts";
import { architectureByName, architectureFor, type Architecture, type Head } from "./architectures.ts";
import { zeroParameters } from "./create.ts";
import { Model } from "./model.ts";
import { parametersOf } from "./parameters.ts";

/** How far loading is: a file of the Hub on its way, then tensors on the device. */
export type LoadProgress = DownloadProgress | { readonly type: "tensors"; readonly loadedTensors: number; readonly totalTensors: number };

export interface LoadOptions extends Omit<HubOptions, "onProgress"> {
  /** The head to put on the encoder; by default the one that the checkpoint was saved with. */
  head?: Head;
  /** Label names for a new classification head; its weights start at random where the checkpoint's do not fit. */
  labels?: readonly string[];
  /**
   * "float16": the matrices of linear layers and embeddings in half precision, in half the memory; they cannot be trained. Whatever the
   * checkpoint has is converted. Default "float32".
   */
  dtype?: "float32" | "float16";
  /** Seed of parameters that the checkpoint does not have. Default 42. */
  seed?: number;
  onProgress?: (progress: LoadProgress) => void;
}

export interface LoadedModel {
  readonly model: Model;
  /** Parameters that the checkpoint lacks, or has in another shape: they started at random and want training. */
  readonly missing: readonly string[];
  /** Tensors of the checkpoint that the model has no use for. */
  readonly unexpected: readonly string[];
}

/**
 * Loads a Hugging Face model folder onto a device, one tensor in host memory at a time.
 *
 * Errors: those of `openModelFolder` and `parseConfig`; ARCHITECTURE_UNKNOWN; WEIGHTS_MISMATCH where the encoder's own
 * parameters are missing or of another shape; LIMIT_EXCEEDED and OUT_OF_MEMORY where the device cannot hold them, before a byte of
 * them is downloaded; WEIGHTS_NOT_FINITE.
 */
export async function loadModel(device: Device, source: ModelFolderSource | ModelFolder, options: LoadOptions = {}): Promise<LoadedModel> {
  const opened = isOpen(source) ? null : await openModelFolder(source, options);
  const folder = opened ?? (source as ModelFolder);
  try {
    const { architecture, config } = modelPlan(folder, options);
    return await loadParameters(device, folder, architecture, config, options);
  } finally {
    await opened?.close();
  }
}

function isOpen(source: ModelFolderSource | ModelFolder): source is ModelFolder {
  return typeof source === "object" && "configText" in source;
}

/** The architecture and configuration that `loadModel` gives a folder's model. Errors: those of `parseConfig`; ARCHITECTURE_UNKNOWN. */
export function modelPlan(folder: ModelFolder, { head, labels }: Pick<LoadOptions, "head" | "labels"> = {}): { architecture: Architecture; config: ModelConfig } {
  const stored = parseConfig(folder.configText);
  const quantization = stored.raw["quantization_config"];
  if (quantization != null) {
    const method = (quantization as { quant_method?: unknown }).quant_method ?? "an unnamed method";
    throw new HeddleError("CONFIG_INVALID", `[${folder.label}] its weights are quantised by ${String(method)} (quantization_config in config.json), which is not read: take the model's repository without it, or a GGUF file`);
  }
  const architecture = chooseArchitecture(stored, head);
  return { architecture, config: { ...(labels ? withLabels(stored, labels) : stored), architectures: [architecture.name] } };
}

function chooseArchitecture(config: ModelConfig, head: Head | undefined): Architecture {
  if (head) return architectureFor(config.modelType, head);
  const name = config.architectures[0];
  return name === undefined ? architectureFor(config.modelType, "none") : architectureByName(name);
}

async function loadParameters(device: Device, folder: ModelFolder, architecture: Architecture, config: ModelConfig, { seed = 42, dtype = "float32", signal, onProgress }: LoadOptions): Promise<LoadedModel> {
  const weights = await folder.weights();
  if (dtype !== "float32" && dtype !== "float16") throw new HeddleError("INVALID_ARGUMENT", `[${folder.label}] cannot be held in ${String(dtype)}: GPUs store float32 and float16; weights in bfloat16 are converted to either`);
  const dtypeOf = ({ isMatrix }: ParameterSpec) => (dtype === "float16" && isMatrix ? "f16" : "f32");
  const specs = parametersOf(architecture, config);
  const sources = new Map<string, ParameterSpec>();
  const missing: ParameterSpec[] = [];
  for (const spec of specs) {
    const name = nameInCheckpoint(weights, spec.name, architecture.basePrefix);
    const fits = name !== undefined && formatShape(weights.entry(name).shape) === formatShape(spec.shape);
    if (fits) {
      sources.set(name, spec);
      continue;
    }
    if (isBase(spec.name, architecture)) throw mismatch(folder.label, architecture, spec, name === undefined ? null : weights.entry(name).shape);
    missing.push(spec);
  }
  requireRoom(device, folder.label, specs, dtypeOf);
  const parameters = zeroParameters(device, specs, dtypeOf);
  const write = (spec: ParameterSpec, data: Float32Array): void => parameters.get(spec.name)!.write(dtypeOf(spec) === "f16" ? halfOf(folder.label, spec.name, data) : data);
  try {
    for (const spec of missing) write(spec, initialize(spec, seed));
    let loadedTensors = 0;
    for await (const { name, data } of weights.stream({ names: sources.keys(), ...(signal && { signal }) })) {
      // Whole numbers, such as a bias of zeros in I8, are the weights that they say: what is quantised was refused by its configuration.
      write(sources.get(name)!, data instanceof Float32Array ? data : Float32Array.from(data));
      onProgress?.({ type: "tensors", loadedTensors: ++loadedTensors, totalTensors: sources.size });
    }
  } catch (error) {
    for (const state of parameters.values()) state.dispose();
    throw error;
  }
  const unexpected = weights.names.filter((name) => !sources.has(name) && !isDerived(name, config));
  return { model: new Model(architecture, config, device, parameters), missing: missing.map((spec) => spec.name), unexpected };
}

/** Before anything is downloaded or allocated: what cannot fit is refused with its size. */
function requireRoom(device: Device, label: string, specs: readonly ParameterSpec[], dtypeOf: (spec: ParameterSpec) => "f32" | "f16"): void {
  const { stateBytes, totalBytes } = device.capacity;
  const bytesOf = (spec: ParameterSpec) => sizeOf(spec.shape) * bytesPerElement(dtypeOf(spec));
  const half = specs.some((spec) => dtypeOf(spec) === "f16") ? "" : `, { dtype: "float16" }`;
  const total = specs.reduce((sum, spec) => sum + bytesOf(spec), 0);
  if (total > totalBytes) {
    throw new HeddleError("OUT_OF_MEMORY", `[${label}] has ${millionBytes(total)} of weights, more than the ${millionBytes(totalBytes)} that ${device.description} can hold: choose a smaller model${half}, or a machine with more memory`);
  }
  const largest = specs.find((spec) => bytesOf(spec) > stateBytes);
  if (largest) {
    throw new HeddleError("LIMIT_EXCEEDED", `[${label}] ${largest.name} ${formatShape(largest.shape)} takes ${millionBytes(bytesOf(largest))}, a buffer of ${device.description} at most ${millionBytes(stateBytes)}: choose a smaller model${half}, or { device: "cpu" }`);
  }
}

/** Largest number that half precision has (IEEE 754 binary16). */
const LARGEST_HALF = 65504;

function halfOf(label: string, name: string, data: Float32Array): Uint16Array<ArrayBuffer> {
  const index = data.findIndex((value) => Math.abs(value) > LARGEST_HALF);
  if (index >= 0) throw new HeddleError("WEIGHTS_NOT_FINITE", `[${label}] ${name}[${index}] is ${data[index]}, beyond what float16 holds (${LARGEST_HALF}): load it with { dtype: "float32" }`);
  return toFloat16(data);
}

const millionBytes = (bytes: number) => `${Math.ceil(bytes / 1e6).toLocaleString("en")} MB`;

/** Checkpoints of a bare encoder leave the prefix out; those of TensorFlow's age say gamma and beta. */
function nameInCheckpoint(weights: ModelWeights, name: string, basePrefix: string): string | undefined {
  const spellings = [name, name.startsWith(basePrefix) ? name.slice(basePrefix.length) : basePrefix + name];
  const older = spellings.map((spelling) => spelling.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta"));
  return [...spellings, ...older].find((spelling) => weights.has(spelling));
}

/** The encoder's parameters must all be there; the pooler and the heads may start afresh. */
function isBase(name: string, { head, basePrefix }: Architecture): boolean {
  return (head === "none" || name.startsWith(basePrefix)) && !name.includes("pooler.");
}

/** Where families keep a masked language model's second copy of the word embeddings and of its bias. */
const TIED_DECODERS = ["cls.predictions.decoder.", "lm_head.decoder.", "generator_lm_head.weight", "predictions.decoder."];

/** The same of families that may leave the two apart. */
const TIED_HEADS = ["lm_head.weight", "embed_out.weight", "decoder.weight"];

/** Buffers that PyTorch once saved: positions 0, 1, 2 …, triangles of ones, rotary frequencies. */
const BUFFERS = /(^|\.)(position_ids|rotary_emb\.inv_freq|attn\.(masked_)?bias|attention\.(masked_)?bias)$/;

/** Kept in checkpoints though they follow from others. */
function isDerived(name: string, config: ModelConfig): boolean {
  if (config.modelType === "marian" && name.endsWith("embed_positions.weight")) return true; // sines
  const isTied = "tieWordEmbeddings" in config && config.tieWordEmbeddings;
  return BUFFERS.test(name) || TIED_DECODERS.some((prefix) => name.startsWith(prefix)) || (isTied && TIED_HEADS.includes(name));
}

function mismatch(label: string, architecture: Architecture, spec: ParameterSpec, found: readonly number[] | null): HeddleError {
  const what = found === null ? "is missing" : `has shape ${formatShape(found)}`;
  return new HeddleError("WEIGHTS_MISMATCH", `[${label}] ${spec.name} ${what}, ${architecture.name} wants ${formatShape(spec.shape)}: config.json and the weights come from different models, or the file is not a ${architecture.modelType} checkpoint`);
}
