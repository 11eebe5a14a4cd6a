import { geometricBuckets, HeddleError } from "@heddle/kernels";
import { collate } from "@heddle/training";
import { beamSearch, EncodedSource, generate, openModelFolder, openSession, readJson, storedGenerationOptions, StreamDecoder, tokenLimit, type BeamOptions, type DecodingSession, type FinishReason, type GeneratedToken, type GenerationOptions, type Model, type ModelFolder, type ModelFolderSource, type StoredGenerationOptions } from "@heddle/transformer";
import { planBatches } from "../inference/batches.ts";
import type { HeldDevice } from "../inference/device.ts";
import { checkTexts, encodeTexts, throwIfAborted } from "../inference/encode.ts";
import { HeldModel } from "../inference/held-model.ts";
import type { LoadingOptions } from "../inference/loading.ts";
import { said } from "../inference/said.ts";
import { loadTextModel, type LoadedTextModel } from "../inference/load.ts";
import type { LoadOptions } from "../inference/open-runner.ts";
import { piecesOf } from "../text-generation/pieces.ts";
import type { GeneratedPiece } from "../text-generation/types.ts";
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

/** Texts that come piece by piece are written one at a time, by one beam. */
export type Text2TextStreamOptions = Omit<Text2TextOptions, "batchSize" | "lengthPenalty" | "earlyStopping">;

export interface WrittenText {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly finishReason: FinishReason;
}

const PIPELINE_DEFAULTS: StoredGenerationOptions = { maxNewTokens: 256, numBeams: 4 };
const DEFAULT_BATCH = 8;

/** What has been read, and the caches of what is written about it. */
interface Reading {
  readonly key: string;
  readonly source: EncodedSource;
  readonly session: DecodingSession;
}

interface LoadedWriter extends LoadedTextModel {
  readonly defaults: StoredGenerationOptions & { readonly prefix: string };
}

/** Texts in, other texts out: T5, BART and Marian. transformers' `Text2TextGenerationPipeline`, summaries and translations. */
export class Text2TextGenerator {
  /** Of the last batch: the next one of its shape needs no new plans. */
  #kept: Reading | null = null;

  private constructor(private readonly model: HeldModel<LoadedWriter>) {
    model.forget = () => {
      if (this.#kept) free(this.#kept);
      this.#kept = null;
    };
  }

  /** Loads the folder of a model that makes one text of another. Errors: those of loading. */
  static async fromPretrained(source: ModelFolderSource, { task, ...options }: Text2TextLoadOptions = {}): Promise<Text2TextGenerator> {
    const load = async (held: HeldDevice, given: LoadingOptions): Promise<LoadedWriter> => {
      await using folder = await openModelFolder(source, given);
      const loaded = await loadTextModel(held, folder, { ...given, head: "seq2seq-lm" });
      try {
        return { ...loaded, defaults: await storedDefaults(folder, loaded, task) };
      } catch (error) {
        loaded.model.dispose();
        throw error;
      }
    };
    return new Text2TextGenerator(await HeldModel.open(options, load, "text2text-generation"));
  }

  /**
   * What the model makes of each text, in their order. Where the device is lost, a batch is begun again on a new one.
   *
   * @throws INVALID_ARGUMENT, ABORTED, DISPOSED
   */
  async generate(texts: readonly string[], options: Text2TextOptions = {}): Promise<WrittenText[]> {
    const { batchSize = DEFAULT_BATCH, prefix, onWarning, numBeams = 1, lengthPenalty, earlyStopping, ...generation } = this.#settled(options);
    const beams = { numBeams, ...(lengthPenalty !== undefined && { lengthPenalty }), ...(earlyStopping !== undefined && { earlyStopping }) };
    const rows = await this.#encode(texts, prefix, generation.signal, onWarning);
    const written = new Array<WrittenText>(texts.length);
    for (const { rowNumbers } of planBatches(rows.map(({ length }) => length), batchSize)) {
      throwIfAborted(generation.signal, "text2text-generation");
      const inputs = rowNumbers.map((row) => rows[row]!);
      const answers = await this.model.run((loaded) => (numBeams > 1 ? this.#search(loaded, inputs, { ...withoutDraws(generation), ...beams }) : this.#write(loaded, inputs, generation)));
      rowNumbers.forEach((row, i) => (written[row] = answers[i]!));
    }
    return written;
  }

  /**
   * What the model makes of one text, piece by piece, by one beam whatever the model's files say. Stopping the loop stops the work.
   *
   * @throws INVALID_ARGUMENT, also where beams are asked for; ABORTED, DISPOSED
   */
  async *stream(text: string, options: Text2TextStreamOptions = {}): AsyncGenerator<GeneratedPiece, void, undefined> {
    if ((options.numBeams ?? 1) > 1) throw new HeddleError("INVALID_ARGUMENT", "[text2text-generation] a beam search knows its text only at the end: use generate(), or numBeams 1");
    const { batchSize: _b, numBeams: _n, lengthPenalty: _l, earlyStopping: _e, prefix, onWarning, ...generation } = this.#settled(options);
    const inputs = await this.#encode([text], prefix, generation.signal, onWarning);
    yield* piecesOf(this.model.write((loaded, chosen) => this.#tokens(loaded, inputs, generation, [chosen])), new StreamDecoder(this.model.loaded.tokenizer));
  }

  /** What the caller says, and where that is nothing what the model's files say. */
  #settled(options: Text2TextOptions): Text2TextOptions & { readonly prefix: string } {
    return { ...this.model.loaded.defaults, ...said(options) };
  }

  async #encode(texts: readonly string[], prefix: string, signal: AbortSignal | undefined, onWarning: Text2TextOptions["onWarning"]): Promise<Int32Array[]> {
    checkTexts(texts);
    const { tokenizer, maxLength } = this.model.loaded;
    const { rows, truncated } = await encodeTexts(tokenizer, texts.map((text) => prefix + text), { maxLength, ...(signal && { signal }) });
    if (truncated.length > 0) onWarning?.(truncationWarning(truncated, texts.length, maxLength));
    return rows.map(({ inputIds }) => Int32Array.from(inputIds));
  }

  /** One text or several, each by one beam. */
  async *#tokens({ model, maxLength }: LoadedWriter, inputs: readonly Int32Array[], options: GenerationOptions, chosen: readonly (readonly number[])[] = []): AsyncGenerator<GeneratedToken, void, undefined> {
    const prompts = startsOf(model, inputs);
    const reading = await this.#read(model, maxLength, inputs, tokenLimit(model, prompts, options.maxNewTokens), options.signal);
    try {
      yield* generate(model, prompts, options, { session: reading.session, source: reading.source, chosen });
    } finally {
      this.#giveBack(reading);
    }
  }

  async #write(loaded: LoadedWriter, inputs: readonly Int32Array[], options: GenerationOptions): Promise<WrittenText[]> {
    const rows = inputs.map((): { tokens: number[]; finishReason: FinishReason } => ({ tokens: [], finishReason: "length" }));
    for await (const { row, token, finishReason } of this.#tokens(loaded, inputs, options)) {
      rows[row]!.tokens.push(token);
      if (finishReason) rows[row]!.finishReason = finishReason;
    }
    return rows.map(({ tokens, finishReason }) => ({ text: loaded.tokenizer.decode(tokens), tokens, finishReason }));
  }

  async #search({ model, maxLength, tokenizer }: LoadedWriter, inputs: readonly Int32Array[], options: BeamOptions): Promise<WrittenText[]> {
    const prompts = startsOf(model, inputs);
    const limit = tokenLimit(model, prompts, options.maxNewTokens);
    const reading = await this.#read(model, maxLength, inputs.flatMap((ids) => new Array<Int32Array>(options.numBeams).fill(ids)), limit, options.signal);
    try {
      const texts = await beamSearch(model, prompts, options, { session: reading.session, source: reading.source });
      return texts.map((tokens) => ({ text: tokenizer.decode(tokens), tokens, finishReason: tokens.length < limit ? "stop" : "length" }));
    } finally {
      this.#giveBack(reading);
    }
  }

  /** Runs the half that reads. What is read at the same time has caches of its own. */
  async #read(model: Model, maxLength: number, inputs: readonly Int32Array[], newTokens: number, signal: AbortSignal | undefined): Promise<Reading> {
    const rows = inputs.map((inputIds) => ({ inputIds }));
    const padTokenId = "padTokenId" in model.config ? (model.config.padTokenId ?? 0) : 0;
    const batch = collate(rows, { problem: "seq2seq-lm", batchSize: rows.length, buckets: geometricBuckets(maxLength), padTokenId, numLabels: 0, tokenTypes: false });
    const key = `${batch["inputIds"]!.shape.join(" × ")}, ${newTokens} more`;
    const kept = this.#kept;
    this.#kept = null;
    if (kept?.key === key) {
      try {
        await kept.source.read(batch, signal);
      } catch (error) {
        free(kept);
        throw error;
      }
      kept.session.reset();
      return kept;
    }
    if (kept) free(kept);
    const source = await EncodedSource.encode(model, batch, signal);
    try {
      return { key, source, session: openSession(model, rows.map(() => [0]), newTokens, source) };
    } catch (error) {
      source.dispose();
      throw error;
    }
  }

  #giveBack(reading: Reading): void {
    if (this.#kept || !this.model.isCurrent(reading.session.model)) free(reading);
    else this.#kept = reading;
  }

  /** Frees the model, and the device where it was opened for this generator. */
  dispose(): void {
    this.model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function free({ session, source }: Reading): void {
  session.dispose();
  source.dispose();
}

/** What each text begins with. */
const startsOf = ({ config }: Model, inputs: readonly Int32Array[]): number[][] => inputs.map(() => ["decoderStartTokenId" in config ? config.decoderStartTokenId : 0]);

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
