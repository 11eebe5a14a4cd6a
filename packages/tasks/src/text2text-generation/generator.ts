import { geometricBuckets, HeddleError } from "@heddle/kernels";
import { collate } from "@heddle/training";
import { beamSearch, EncodedSource, generate, openModelFolder, openSession, readJson, storedGenerationOptions, tokenLimit, type DecodingSession, type FinishReason, type GenerationOptions, type ModelFolder, type ModelFolderSource, type StoredGenerationOptions } from "@heddle/transformer";
import { planBatches } from "../inference/batches.ts";
import { HeldDevice } from "../inference/device.ts";
import { checkTexts, encodeTexts, throwIfAborted } from "../inference/encode.ts";
import { said } from "../inference/said.ts";
import { loadTextModel, type LoadedTextModel } from "../inference/load.ts";
import type { LoadOptions } from "../inference/open-runner.ts";
import type { WarningEvent } from "../text-classification/types.ts";
import { truncationWarning } from "../text-classification/warnings.ts";

export interface Text2TextLoadOptions extends Omit<LoadOptions, "int8"> {
  /** A key of config.json's `task_specific_params`, whose prefix and options then count: "summarization", "translation_en_to_fr". */
  readonly task?: string;
}

/** What is not given comes from the model's own files, else `maxNewTokens` is 256 and `numBeams` 4, as in transformers' pipelines. */
export interface Text2TextOptions extends Omit<GenerationOptions, "eosTokenIds" | "allowedTokens" | "logProbabilities"> {
  /** More than 1: beam search, which draws nothing. */
  readonly numBeams?: number;
  readonly lengthPenalty?: number;
  readonly earlyStopping?: boolean | "never";
  /** Put before each text. */
  readonly prefix?: string;
  /** Most texts that go through the model at once. Default 8. */
  readonly batchSize?: number;
  /** Hears of texts that were cut to what the model takes. */
  readonly onWarning?: (warning: WarningEvent) => void;
}

export interface WrittenText {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly finishReason: FinishReason;
}

const PIPELINE_DEFAULTS: StoredGenerationOptions = { maxNewTokens: 256, numBeams: 4 };
const DEFAULT_BATCH = 8;

interface Kept {
  readonly key: string;
  readonly source: EncodedSource;
  readonly session: DecodingSession;
}

/** Texts in, other texts out: T5, BART and Marian. transformers' `Text2TextGenerationPipeline`, summaries and translations. */
export class Text2TextGenerator {
  /** Of the last batch: the next one of its shape needs no new plans. */
  #kept: Kept | null = null;
  #disposed = false;

  private constructor(
    private readonly loaded: LoadedTextModel,
    private readonly release: () => void,
    private readonly defaults: StoredGenerationOptions & { readonly prefix: string },
  ) {}

  /** Loads the folder of a model that makes one text of another. Errors: those of loading. */
  static async fromPretrained(source: ModelFolderSource, { device, task, ...options }: Text2TextLoadOptions = {}): Promise<Text2TextGenerator> {
    await using folder = await openModelFolder(source, options);
    const held = new HeldDevice(device, options.log);
    try {
      const loaded = await loadTextModel(held, folder, { ...options, head: "seq2seq-lm" });
      try {
        return new Text2TextGenerator(loaded, () => held.release(), await storedDefaults(folder, loaded, task));
      } catch (error) {
        loaded.model.dispose();
        throw error;
      }
    } catch (error) {
      held.release();
      throw error;
    }
  }

  /**
   * What the model makes of each text, in their order.
   *
   * @throws INVALID_ARGUMENT, ABORTED, DISPOSED
   */
  async generate(texts: readonly string[], options: Text2TextOptions = {}): Promise<WrittenText[]> {
    if (this.#disposed) throw new HeddleError("DISPOSED", "[text2text-generation] the generator was disposed: load the model again");
    checkTexts(texts);
    const { prefix, batchSize = DEFAULT_BATCH, signal, onWarning, ...generation } = { ...this.defaults, ...said(options) };
    const { tokenizer, maxLength } = this.loaded;
    const { rows, truncated } = await encodeTexts(tokenizer, texts.map((text) => prefix + text), { maxLength, ...(signal && { signal }) });
    if (truncated.length > 0) onWarning?.(truncationWarning(truncated, texts.length, maxLength));
    const written = new Array<WrittenText>(texts.length);
    for (const { rowNumbers } of planBatches(rows.map(({ inputIds }) => inputIds.length), batchSize)) {
      throwIfAborted(signal, "text2text-generation");
      const answers = await this.#write(rowNumbers.map((row) => rows[row]!.inputIds), { ...generation, ...(signal && { signal }) });
      rowNumbers.forEach((row, i) => (written[row] = answers[i]!));
    }
    return written;
  }

  async #write(inputs: readonly Int32Array[], { numBeams = 1, lengthPenalty, earlyStopping, ...options }: Text2TextOptions): Promise<WrittenText[]> {
    const { model, tokenizer } = this.loaded;
    const start = "decoderStartTokenId" in model.config ? model.config.decoderStartTokenId : 0;
    const prompts = inputs.map(() => [start]);
    const limit = tokenLimit(model, prompts, options.maxNewTokens);
    const { source, session } = await this.#read(inputs, numBeams, limit, options.signal);
    const rows = prompts.map((): { tokens: number[]; finishReason: FinishReason } => ({ tokens: [], finishReason: "length" }));
    if (numBeams > 1) {
      const beams = { numBeams, ...(lengthPenalty !== undefined && { lengthPenalty }), ...(earlyStopping !== undefined && { earlyStopping }) };
      const texts = await beamSearch(model, prompts, { ...withoutDraws(options), ...beams }, { session, source });
      texts.forEach((tokens, row) => (rows[row] = { tokens, finishReason: tokens.length < limit ? "stop" : "length" }));
    } else {
      for await (const { row, token, finishReason } of generate(model, prompts, options, { session, source })) {
        rows[row]!.tokens.push(token);
        if (finishReason) rows[row]!.finishReason = finishReason;
      }
    }
    return rows.map(({ tokens, finishReason }) => ({ text: tokenizer.decode(tokens), tokens, finishReason }));
  }

  /** Runs the half that reads; each text fills as many rows as it has beams. */
  async #read(inputs: readonly Int32Array[], numBeams: number, newTokens: number, signal: AbortSignal | undefined): Promise<Kept> {
    const { model, maxLength } = this.loaded;
    const rows = inputs.flatMap((inputIds) => new Array<{ inputIds: Int32Array }>(numBeams).fill({ inputIds }));
    const padTokenId = "padTokenId" in model.config ? (model.config.padTokenId ?? 0) : 0;
    const batch = collate(rows, { problem: "seq2seq-lm", batchSize: rows.length, buckets: geometricBuckets(maxLength), padTokenId, numLabels: 0, tokenTypes: false });
    const key = `${batch["inputIds"]!.shape.join(" × ")}, ${newTokens} more`;
    if (this.#kept?.key === key) {
      await this.#kept.source.read(batch, signal);
      this.#kept.session.reset();
      return this.#kept;
    }
    this.#forget();
    const source = await EncodedSource.encode(model, batch, signal);
    try {
      this.#kept = { key, source, session: openSession(model, rows.map(() => [0]), newTokens, source) };
    } catch (error) {
      source.dispose();
      throw error;
    }
    return this.#kept;
  }

  #forget(): void {
    this.#kept?.session.dispose();
    this.#kept?.source.dispose();
    this.#kept = null;
  }

  /** Frees the model, and the device where it was opened for this generator. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#forget();
    this.loaded.model.dispose();
    this.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** From the least to the most particular: transformers' pipelines, the model, the task. */
async function storedDefaults(folder: ModelFolder, { model }: LoadedTextModel, task: string | undefined): Promise<StoredGenerationOptions & { readonly prefix: string }> {
  const { raw } = model.config;
  const stored = await readJson(folder, "generation_config.json");
  const own = stored === undefined ? storedGenerationOptions(raw, "config.json", "with a token") : storedGenerationOptions(stored, "generation_config.json", "with a token");
  const tasks = raw["task_specific_params"] as Readonly<Record<string, unknown>> | null | undefined;
  const params = task === undefined ? undefined : (tasks?.[task] as { readonly prefix?: unknown } | undefined);
  const prefix = [params?.prefix, raw["prefix"]].find((text) => typeof text === "string") ?? "";
  return { ...PIPELINE_DEFAULTS, ...own, ...(params && storedGenerationOptions(params, `config.json, task_specific_params.${task}`, "with a token")), prefix };
}


/** What a beam search has no use for. */
function withoutDraws({ temperature: _t, topK: _k, topP: _p, minP: _m, seed: _s, presencePenalty: _pp, frequencyPenalty: _fp, ...options }: GenerationOptions): Omit<GenerationOptions, "temperature"> {
  return options;
}
