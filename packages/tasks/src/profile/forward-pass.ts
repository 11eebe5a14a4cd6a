import { compile, HeddleError, hostTensor, openDevice, type CompiledFunction, type Device, type HostTensor, type OpenDeviceOptions } from "@heddle/kernels";
import { loadModel, openModelFolder, textConfigOf, type HubAccess, type LoadProgress, type ModelFolderSource } from "@heddle/transformer";
import type { DeviceChoice } from "../inference/device.ts";
import { USUAL_BATCH } from "../inference/trial.ts";

export interface ForwardPassOptions extends HubAccess {
  /** Sequences at once; default 8. */
  readonly batchSize?: number;
  /** Tokens of each; default 64, or the most that the model takes. */
  readonly length?: number;
  /** Default: `webgpu`, as no other device has kernels of ours. */
  readonly device?: DeviceChoice;
  /** Of the token ids. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Hears how far the download and the weights are. */
  readonly onLoadProgress?: (progress: LoadProgress) => void;
  /** Hears that the Hub cannot be reached. Default: `console.warn`. */
  readonly log?: (line: string) => void;
}

/** Of which model a forward pass is, and its size. */
export interface ForwardPassFacts {
  /** The folder. */
  readonly model: string;
  /** transformers' name of the class. */
  readonly architecture: string;
  readonly numParameters: number;
  readonly batchSize: number;
  readonly length: number;
}

export interface ForwardPass {
  readonly device: Device;
  readonly forward: CompiledFunction;
  readonly inputs: Readonly<Record<string, HostTensor>>;
}

/** The golden ratio of 2³² (Knuth, volume 3, section 6.4): its multiples are spread as random ids are. */
const KNUTH = 2_654_435_761;

/**
 * Gives `work` the forward pass of a model folder of any known family and head, with random token ids without padding. The
 * folder needs no tokenizer. The model, and a device opened for it, are gone afterwards.
 *
 * Errors: those of `loadModel`; INVALID_ARGUMENT for a length that the model has no positions for; NO_ADAPTER.
 */
export async function withForwardPass<T>(source: ModelFolderSource, options: ForwardPassOptions & Pick<OpenDeviceOptions, "tune">, work: (pass: ForwardPass) => Promise<T>): Promise<T & ForwardPassFacts> {
  const { batchSize = USUAL_BATCH.batchSize, device: choice = "webgpu", seed = 0, tune, onLoadProgress: onProgress } = options;
  const loading = { ...options, seed, onProgress };
  await using folder = await openModelFolder(source, loading);
  const device = typeof choice === "object" ? choice : await openDevice({ device: choice, tune });
  try {
    const loaded = await loadModel(device, folder, loading);
    using model = loaded.model;
    const { vocabSize, maxPositionEmbeddings } = textConfigOf(model.config);
    const length = options.length ?? Math.min(USUAL_BATCH.length, maxPositionEmbeddings);
    if (length > maxPositionEmbeddings) throw new HeddleError("INVALID_ARGUMENT", `[${folder.label}] has ${maxPositionEmbeddings} positions, fewer than a length of ${length}: give at most ${maxPositionEmbeddings}`);
    using forward = compile(device, model.architecture.name, ({ inputIds, attentionMask }) => {
      const { logits, lastHiddenState } = model.forward({ inputIds: inputIds!, attentionMask: attentionMask! });
      return { outputs: logits ?? lastHiddenState };
    });
    const ids = Int32Array.from({ length: batchSize * length }, (_, i) => (Math.imul(i + 1 + seed, KNUTH) >>> 8) % vocabSize);
    const inputs = { inputIds: hostTensor(ids, [batchSize, length]), attentionMask: hostTensor(new Int32Array(ids.length).fill(1), [batchSize, length]) };
    const result = await work({ device, forward, inputs });
    return { ...result, model: folder.label, architecture: model.architecture.name, numParameters: model.numParameters, batchSize, length };
  } finally {
    if (device !== choice) device.dispose();
  }
}
