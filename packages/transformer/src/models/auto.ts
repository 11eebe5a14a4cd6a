import { openDevice, type Device, type DeviceName } from "@heddle/kernels";
import { openModelFolder, type HubOptions, type ModelFolder, type ModelFolderSource } from "../checkpoint/index.ts";
import type { ModelConfig } from "../config/index.ts";
import { tokenizerOf, type Tokenizer } from "../text/index.ts";
import { architectureFor, type Head } from "./architectures.ts";
import { createModel } from "./create.ts";
import { loadModel, type LoadOptions } from "./load.ts";
import type { Model } from "./model.ts";

export interface AutoOptions {
  /** The caller's, which stays the caller's, or the name of one to open, which goes with the model. Default "auto". */
  readonly device?: Device | DeviceName;
}

export interface AutoLoadOptions extends AutoOptions, Omit<LoadOptions, "head"> {
  /** Hears which parameters started at random and want training, and which tensors of the checkpoint the model has no use for. */
  readonly onWarning?: (message: string) => void;
}

/** A head for every family that has it, by Hugging Face's name. */
export class AutoClass {
  constructor(
    private readonly name: string,
    private readonly head: Head,
  ) {}

  /** Loads a folder, its address, picked files, a GGUF file or a model of the Hugging Face Hub. Errors: those of `loadModel` and `openDevice`. */
  async fromPretrained(source: ModelFolderSource | ModelFolder, { device, onWarning, ...options }: AutoLoadOptions = {}): Promise<Model> {
    const opened = await own(device);
    try {
      const { model, missing, unexpected } = await loadModel(opened.device, source, { ...options, head: this.head });
      if (missing.length > 0) onWarning?.(`[${this.name}] not in the checkpoint, so started at random, and to be trained first: ${missing.join(", ")}`);
      if (unexpected.length > 0) onWarning?.(`[${this.name}] in the checkpoint, but not used: ${unexpected.join(", ")}`);
      model.onDispose = opened.release;
      return model;
    } catch (error) {
      opened.release();
      throw error;
    }
  }

  /** A new model with random weights, the same for the same seed. */
  async fromConfig(config: ModelConfig, { device, seed = 42 }: AutoOptions & { readonly seed?: number } = {}): Promise<Model> {
    const opened = await own(device);
    try {
      const model = createModel(opened.device, architectureFor(config.modelType, this.head), config, seed);
      model.onDispose = opened.release;
      return model;
    } catch (error) {
      opened.release();
      throw error;
    }
  }
}

async function own(device: Device | DeviceName | undefined): Promise<{ readonly device: Device; release(): void }> {
  if (typeof device === "object") return { device, release: () => undefined };
  const opened = await openDevice({ ...(device && { device }) });
  return { device: opened, release: () => opened.dispose() };
}

export const AutoModel = new AutoClass("AutoModel", "none");
export const AutoModelForSequenceClassification = new AutoClass("AutoModelForSequenceClassification", "sequence-classification");
export const AutoModelForTokenClassification = new AutoClass("AutoModelForTokenClassification", "token-classification");
export const AutoModelForQuestionAnswering = new AutoClass("AutoModelForQuestionAnswering", "question-answering");
export const AutoModelForMaskedLM = new AutoClass("AutoModelForMaskedLM", "masked-lm");
export const AutoModelForCausalLM = new AutoClass("AutoModelForCausalLM", "causal-lm");
export const AutoModelForSeq2SeqLM = new AutoClass("AutoModelForSeq2SeqLM", "seq2seq-lm");
export const AutoModelForSpeechSeq2Seq = new AutoClass("AutoModelForSpeechSeq2Seq", "seq2seq-lm");
export const AutoModelForImageClassification = new AutoClass("AutoModelForImageClassification", "image-classification");

export const AutoTokenizer = {
  /** The tokenizer of a model folder or GGUF file. Errors: those of `openModelFolder`, TOKENIZER_MISSING, TOKENIZER_INVALID. */
  async fromPretrained(source: ModelFolderSource, options: HubOptions = {}): Promise<Tokenizer> {
    await using folder = await openModelFolder(source, options);
    return tokenizerOf(folder);
  },
};
