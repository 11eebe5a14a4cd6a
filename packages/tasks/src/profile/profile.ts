import { compile, HeddleError, hostTensor, openDevice, profile, type ProfileReport } from "@heddle/kernels";
import { loadModel, openModelFolder, type ModelFolderSource } from "@heddle/transformer";
import type { DeviceChoice } from "../inference/device.ts";
import { USUAL_BATCH } from "../inference/trial.ts";

export interface ProfilePretrainedOptions {
  /** Sequences at once; default 8. */
  readonly batchSize?: number;
  /** Tokens of each; default 64, or the most that the model takes. */
  readonly length?: number;
  /** Default: `webgpu`, as no other device has kernels to time. */
  readonly device?: DeviceChoice;
  /** Of the token ids. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** What a forward pass costs, kernel by kernel. */
export interface ModelProfile {
  /** The folder. */
  readonly model: string;
  /** transformers' name of the class. */
  readonly architecture: string;
  readonly numParameters: number;
  readonly batchSize: number;
  readonly length: number;
  readonly report: ProfileReport;
}

/** The golden ratio of 2³² (Knuth, volume 3, section 6.4): its multiples are spread as random ids are. */
const KNUTH = 2_654_435_761;

/**
 * Profiles the forward pass of a model folder of any known family and head, on random token ids without padding. The folder
 * needs no tokenizer. It takes some seconds.
 *
 * Errors: those of `loadModel`; INVALID_ARGUMENT for a length that the model has no positions for and for a device without
 * kernels; NO_ADAPTER.
 */
export async function profilePretrained(source: ModelFolderSource, options: ProfilePretrainedOptions = {}): Promise<ModelProfile> {
  const { batchSize = USUAL_BATCH.batchSize, device: choice = "webgpu", seed = 0, signal } = options;
  await using folder = await openModelFolder(source);
  const device = typeof choice === "object" ? choice : await openDevice({ device: choice });
  try {
    const loaded = await loadModel(device, folder, { seed, signal });
    using model = loaded.model;
    const { vocabSize, maxPositionEmbeddings } = model.config;
    const length = options.length ?? Math.min(USUAL_BATCH.length, maxPositionEmbeddings);
    if (length > maxPositionEmbeddings) throw new HeddleError("INVALID_ARGUMENT", `[${folder.label}] has ${maxPositionEmbeddings} positions, fewer than a length of ${length}: give at most ${maxPositionEmbeddings}`);
    using forward = compile(device, model.architecture.name, ({ inputIds, attentionMask }) => {
      const { logits, lastHiddenState } = model.forward({ inputIds: inputIds!, attentionMask: attentionMask! });
      return { outputs: logits ?? lastHiddenState };
    });
    const ids = Int32Array.from({ length: batchSize * length }, (_, i) => (Math.imul(i + 1 + seed, KNUTH) >>> 8) % vocabSize);
    const inputs = { inputIds: hostTensor(ids, [batchSize, length]), attentionMask: hostTensor(new Int32Array(ids.length).fill(1), [batchSize, length]) };
    const report = await profile(forward, inputs, { signal });
    return { model: folder.label, architecture: model.architecture.name, numParameters: model.numParameters, batchSize, length, report };
  } finally {
    if (device !== choice) device.dispose();
  }
}
