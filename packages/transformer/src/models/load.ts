import { formatShape, HeddleError, type Device } from "@heddle/kernels";
import { openModelFolder, type ModelFolder, type ModelFolderSource, type ModelWeights } from "../checkpoint/index.ts";
import { parseConfig, withLabels, type ModelConfig } from "../config/index.ts";
import { initialize } from "../nn/initialize.ts";
import type { ParameterSpec } from "../nn/scope.ts";
import { architectureByName, architectureFor, type Architecture, type Head } from "./architectures.ts";
import { zeroParameters } from "./create.ts";
import { Model } from "./model.ts";
import { parametersOf } from "./parameters.ts";

export interface LoadOptions {
  /** The head to put on the encoder; by default the one that the checkpoint was saved with. */
  head?: Head;
  /** Label names for a new classification head; its weights start at random where the checkpoint's do not fit. */
  labels?: readonly string[];
  /** Seed of parameters that the checkpoint does not have. Default 42. */
  seed?: number;
  signal?: AbortSignal;
  onProgress?: (progress: { loadedTensors: number; totalTensors: number }) => void;
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
 * parameters are missing or of another shape; WEIGHTS_NOT_FINITE.
 */
export async function loadModel(device: Device, source: ModelFolderSource | ModelFolder, options: LoadOptions = {}): Promise<LoadedModel> {
  const opened = isOpen(source) ? null : await openModelFolder(source);
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
  const architecture = chooseArchitecture(stored, head);
  return { architecture, config: { ...(labels ? withLabels(stored, labels) : stored), architectures: [architecture.name] } };
}

function chooseArchitecture(config: ModelConfig, head: Head | undefined): Architecture {
  if (head) return architectureFor(config.modelType, head);
  const name = config.architectures[0];
  return name === undefined ? architectureFor(config.modelType, "none") : architectureByName(name);
}

async function loadParameters(device: Device, folder: ModelFolder, architecture: Architecture, config: ModelConfig, { seed = 42, signal, onProgress }: LoadOptions): Promise<LoadedModel> {
  const weights = await folder.weights();
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
  const parameters = zeroParameters(device, specs);
  try {
    for (const spec of missing) parameters.get(spec.name)!.write(initialize(spec, seed));
    let loadedTensors = 0;
    for await (const { name, dtype, data } of weights.stream({ names: sources.keys(), ...(signal && { signal }) })) {
      const spec = sources.get(name)!;
      if (dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[${folder.label}] tensor ${name} holds integers; ${architecture.name} wants floats there`);
      parameters.get(spec.name)!.write(data);
      onProgress?.({ loadedTensors: ++loadedTensors, totalTensors: sources.size });
    }
  } catch (error) {
    for (const state of parameters.values()) state.dispose();
    throw error;
  }
  const unexpected = weights.names.filter((name) => !sources.has(name) && !isDerived(name, config));
  return { model: new Model(architecture, config, device, parameters), missing: missing.map((spec) => spec.name), unexpected };
}

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
