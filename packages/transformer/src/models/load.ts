import { bytesPerElement, createQuantizedState, formatShape, HeddleError, quantizedBytes, sizeOf, toFloat16, type Device, type QuantizationFormat, type QuantizedState, type Shape } from "@heddle/kernels";
import { openModelFolder, type DownloadProgress, type HubOptions, type ModelFolder, type ModelFolderSource, type ModelWeights } from "../checkpoint/index.ts";
import { parseConfig, withLabels, type ModelConfig } from "../config/index.ts";
import { initialize } from "../nn/initialize.ts";
import type { ParameterSpec } from "../nn/scope.ts";
import { architectureByName, architectureFor, type Architecture, type Head } from "./architectures.ts";
import { zeroParameters } from "./create.ts";
import { Model } from "./model.ts";
import { parametersOf } from "./parameters.ts";
import { selfCheck } from "./self-check.ts";

/** How far loading is: a file of the Hub on its way, then tensors on the device. */
export type LoadProgress = DownloadProgress | { readonly type: "tensors"; readonly loadedTensors: number; readonly totalTensors: number };

export const LOAD_DTYPES = ["float32", "float16", "quantized"] as const;

/** How weights are held on a device. */
export type LoadDtype = (typeof LOAD_DTYPES)[number];

export interface LoadOptions extends Omit<HubOptions, "onProgress"> {
  /** The head to put on the encoder; by default the one that the checkpoint was saved with. */
  head?: Head;
  /** Label names for a new classification head; its weights start at random where the checkpoint's do not fit. */
  labels?: readonly string[];
  /**
   * "quantized": matrices that the file has in blocks of few bits, as GGUF files do, stay so on the device. "float16": the matrices of
   * linear layers and embeddings are in half precision, whatever the checkpoint has. Neither can be trained. "float32": all are worked
   * out. Default: "quantized" on WebGPU, where it saves memory and time; "float32" elsewhere, where it saves neither.
   */
  dtype?: LoadDtype | undefined;
  /** Seed of parameters that the checkpoint does not have. Default 42. */
  seed?: number;
  /** Compare a few tokens' results with the reference interpreter's, where that is quick: see `selfCheck`. Default true. */
  selfCheck?: boolean | undefined;
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
 * them is downloaded; WEIGHTS_NOT_FINITE; SELF_CHECK_FAILED where the device computes wrong numbers.
 */
export async function loadModel(device: Device, source: ModelFolderSource | ModelFolder, options: LoadOptions = {}): Promise<LoadedModel> {
  const opened = isOpen(source) ? null : await openModelFolder(source, options);
  const folder = opened ?? (source as ModelFolder);
  try {
    const { architecture, config } = modelPlan(folder, options);
    const loaded = await loadParameters(device, folder, architecture, config, options);
    try {
      if (options.selfCheck !== false) await selfCheck(loaded.model, options.signal);
      return loaded;
    } catch (error) {
      loaded.model.dispose();
      throw error;
    }
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

/** The formats in which a device of this kind holds a checkpoint's matrices, by parameter; none where all are worked out. */
export function quantizedFormats(weights: ModelWeights, { architecture, config }: ReturnType<typeof modelPlan>, kind: Device["kind"], dtype: LoadDtype = kind === "webgpu" ? "quantized" : "float32"): ReadonlyMap<string, QuantizationFormat> {
  const formats = new Map<string, QuantizationFormat>();
  if (dtype !== "quantized" || !weights.quantizationOf) return formats;
  for (const { name, shape, matrix } of parametersOf(architecture, config)) {
    const stored = nameInCheckpoint(weights, name, architecture.basePrefix);
    if (!matrix || stored === undefined || !fits(weights, stored, shape)) continue;
    const format = weights.quantizationOf(stored);
    if (format) formats.set(name, format);
  }
  return formats;
}

function chooseArchitecture(config: ModelConfig, head: Head | undefined): Architecture {
  if (head) return architectureFor(config.modelType, head);
  const name = config.architectures[0];
  return name === undefined ? architectureFor(config.modelType, "none") : architectureByName(name);
}

async function loadParameters(device: Device, folder: ModelFolder, architecture: Architecture, config: ModelConfig, { seed = 42, dtype, signal, onProgress }: LoadOptions): Promise<LoadedModel> {
  const weights = await folder.weights();
  if (dtype !== undefined && !LOAD_DTYPES.includes(dtype)) throw new HeddleError("INVALID_ARGUMENT", `[${folder.label}] cannot be held in ${String(dtype)}: choose ${LOAD_DTYPES.join(", ")}; weights in bfloat16 are converted to any`);
  const dtypeOf = ({ matrix }: ParameterSpec) => (dtype === "float16" && matrix ? "f16" : "f32");
  const specs = parametersOf(architecture, config);
  const sources = new Map<string, ParameterSpec>();
  const missing: ParameterSpec[] = [];
  for (const spec of specs) {
    const name = nameInCheckpoint(weights, spec.name, architecture.basePrefix);
    if (name !== undefined && fits(weights, name, spec.shape)) {
      sources.set(name, spec);
      continue;
    }
    if (isBase(spec.name, architecture)) throw mismatch(folder.label, architecture, spec, name === undefined ? null : weights.entry(name).shape);
    missing.push(spec);
  }
  const formats = quantizedFormats(weights, { architecture, config }, device.kind, dtype);
  const [inBlocks, inFloats] = [true, false].map((wanted) => [...sources.keys()].filter((name) => formats.has(sources.get(name)!.name) === wanted)) as [string[], string[]];
  const bytesOf = (spec: ParameterSpec): number => {
    const format = formats.get(spec.name);
    return format ? quantizedBytes(format, spec.shape as [number, number]) : sizeOf(spec.shape) * bytesPerElement(dtypeOf(spec));
  };
  requireRoom(device, folder.label, specs.map((spec) => ({ ...spec, bytes: bytesOf(spec) })));
  const parameters = zeroParameters(device, specs.filter(({ name }) => !formats.has(name)), dtypeOf);
  const quantized = new Map<string, QuantizedState>();
  const write = (spec: ParameterSpec, data: Float32Array): void => parameters.get(spec.name)!.write(dtypeOf(spec) === "f16" ? halfOf(folder.label, spec.name, data) : data);
  try {
    for (const spec of missing) write(spec, initialize(spec, seed));
    let loadedTensors = 0;
    const loaded = () => onProgress?.({ type: "tensors", loadedTensors: ++loadedTensors, totalTensors: sources.size });
    for await (const { name, data } of weights.stream({ names: inFloats, ...(signal && { signal }) })) {
      // Whole numbers, such as a bias of zeros in I8, are the weights that they say: what is quantised was refused by its configuration.
      write(sources.get(name)!, data instanceof Float32Array ? data : Float32Array.from(data));
      loaded();
    }
    for (const name of inBlocks) {
      const spec = sources.get(name)!;
      quantized.set(spec.name, createQuantizedState(device, spec.name, await weights.readQuantized!(name, signal)));
      loaded();
    }
  } catch (error) {
    for (const state of [...parameters.values(), ...quantized.values()]) state.dispose();
    throw error;
  }
  const unexpected = weights.names.filter((name) => !sources.has(name) && !isDerived(name, config));
  return { model: new Model(architecture, config, device, parameters, quantized), missing: missing.map((spec) => spec.name), unexpected };
}

/** Before anything is downloaded or allocated: what cannot fit is refused with its size. */
function requireRoom(device: Device, label: string, specs: readonly (ParameterSpec & { readonly bytes: number })[]): void {
  const { stateBytes, totalBytes } = device.capacity;
  const smaller = specs.some(({ matrix, shape, bytes }) => matrix && bytes === 4 * sizeOf(shape)) ? `, { dtype: "float16" }` : "";
  const total = specs.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > totalBytes) {
    throw new HeddleError("OUT_OF_MEMORY", `[${label}] has ${millionBytes(total)} of weights, more than the ${millionBytes(totalBytes)} that ${device.description} can hold: choose a smaller model${smaller}, or a machine with more memory`);
  }
  const largest = specs.find(({ bytes }) => bytes > stateBytes);
  if (largest) {
    throw new HeddleError("LIMIT_EXCEEDED", `[${label}] ${largest.name} ${formatShape(largest.shape)} takes ${millionBytes(largest.bytes)}, a buffer of ${device.description} at most ${millionBytes(stateBytes)}: choose a smaller model${smaller}, or { device: "cpu" }`);
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

const fits = (weights: ModelWeights, name: string, shape: Shape) => formatShape(weights.entry(name).shape) === formatShape(shape);

/** The encoder's parameters must all be there; the pooler and the heads may start afresh. */
function isBase(name: string, { head, basePrefix }: Architecture): boolean {
  return (head === "none" || name.startsWith(basePrefix)) && !name.includes("pooler.");
}

/** Where families keep a masked language model's second copy of the word embeddings and of its bias. */
const TIED_DECODERS = ["cls.predictions.decoder.", "lm_head.decoder.", "generator_lm_head.weight", "predictions.decoder.", "vocab_projector.weight"];

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
