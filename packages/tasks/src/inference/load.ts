import { HeddleError } from "@heddle/kernels";
import { loadModel, modelPlan, openModelFolder, quantizedFormats, readJson, storedGenerationOptions, textConfigOf, tokenizerOf, type LoadOptions, type Model, type ModelFolder, type ModelFolderSource, type StoredGenerationOptions, type Tokenizer } from "@heddle/transformer";
import type { HeldDevice } from "./device.ts";
import { modelTrial, USUAL_BATCH, USUAL_PROMPT } from "./trial.ts";

export interface LoadedTextModel {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** Longest input in tokens. */
  readonly maxLength: number;
  /** Parameters that the folder lacks, which started at random. */
  readonly missing: readonly string[];
  readonly label: string;
  /** Of a model that writes: what its generation_config.json says. */
  readonly generation: StoredGenerationOptions;
}

/** A model and its tokenizer from one folder. Errors: those of `loadModel` and TOKENIZER_MISSING, TOKENIZER_INVALID. */
export async function loadTextModel(held: HeldDevice, source: ModelFolderSource | ModelFolder, options: LoadOptions): Promise<LoadedTextModel> {
  const opened = "configText" in Object(source) ? null : await openModelFolder(source as ModelFolderSource, options);
  const folder = opened ?? (source as ModelFolder);
  try {
    const tokenizer = tokenizerOf(folder);
    const plan = modelPlan(folder, options);
    const { architecture, config } = plan;
    const weights = await folder.weights();
    const { maxPositionEmbeddings, vocabSize } = textConfigOf(config);
    const generationText = architecture.head === "causal-lm" ? await folder.readText("generation_config.json") : undefined;
    const generation = generationText === undefined ? {} : storedGenerationOptions(generationText, "generation_config.json", "with a prompt");
    const usual = architecture.head === "causal-lm" ? USUAL_PROMPT : USUAL_BATCH;
    const device = await held.open(() => modelTrial(architecture, config, { ...usual, length: Math.min(usual.length, maxPositionEmbeddings), formatsOn: (kind) => quantizedFormats(weights, plan, kind, options.dtype) }));
    const { model, missing } = await loadModel(device, folder, options);
    if (tokenizer.vocabSize > vocabSize) {
      model.dispose();
      throw new HeddleError("TOKENIZER_INVALID", `[${folder.label}] the tokenizer has ${tokenizer.vocabSize} tokens, the model ${vocabSize}: the files come from different models, download all of them again`);
    }
    return { model, tokenizer, missing, generation, label: folder.label, maxLength: await maxLengthOf(folder, model, tokenizer) };
  } finally {
    await opened?.close();
  }
}

/** The smallest of what sentence-transformers, the tokenizer and the position table say. */
async function maxLengthOf(folder: ModelFolder, model: Model, tokenizer: Tokenizer): Promise<number> {
  const sentenceConfig = await readJson(folder, "sentence_bert_config.json");
  const sentenceLimit = (sentenceConfig as { max_seq_length?: unknown } | undefined)?.max_seq_length;
  const limits = [typeof sentenceLimit === "number" ? sentenceLimit : Infinity, tokenizer.modelMaxLength ?? Infinity, textConfigOf(model.config).maxPositionEmbeddings];
  return Math.min(...limits);
}
