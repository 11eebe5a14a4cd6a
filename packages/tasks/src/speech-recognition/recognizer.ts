import { HeddleError } from "@heddle/kernels";
import { EncodedSource, generate, loadModel, logMelSpectrogram, modelPlan, openModelFolder, openSession, readJson, resample, SAMPLE_RATE, tokenizerOf, type DecodingSession, type GenerationOptions, type Model, type ModelFolderSource, type Sound, type Tokenizer, type WhisperConfig } from "@heddle/transformer";
import { HeldDevice } from "../inference/device.ts";
import type { LoadingOptions } from "../inference/loading.ts";
import { modelTrial, USUAL_BATCH } from "../inference/trial.ts";
import { findUtterances } from "./utterances.ts";

export type SpeechRecognizerOptions = LoadingOptions;

export interface TranscribeOptions {
  /** Of a model for many languages: what is spoken, as "en" or "zh"; by default the model finds out. */
  readonly language?: string;
  /** "translate": into English. Default "transcribe". */
  readonly task?: "transcribe" | "translate";
  readonly signal?: AbortSignal;
  /** Called after each utterance. */
  readonly onProgress?: (progress: { readonly doneSeconds: number; readonly totalSeconds: number }) => void;
}

/** What was said from one pause to the next. */
export interface TranscribedSegment {
  readonly text: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
}

export interface Transcription {
  readonly text: string;
  readonly segments: readonly TranscribedSegment[];
}

/** Frames of 10 ms to one place of the encoder. */
const FRAMES_PER_PLACE = 2;
const FRAMES_PER_SECOND = 100;

/** OpenAI's models for English alone have a token less. */
const MULTILINGUAL_VOCABULARY = 51865;

/** Sounds in, texts out: Whisper. */
export class SpeechRecognizer {
  /** Kept from one utterance to the next, with their plans. */
  #source: EncodedSource | null = null;
  #session: DecodingSession | null = null;

  private constructor(
    private readonly model: Model,
    private readonly tokenizer: Tokenizer,
    private readonly choices: Pick<GenerationOptions, "suppressTokens" | "beginSuppressTokens">,
    private readonly facts: { readonly noTimestamps: number | undefined; readonly isMultilingual: boolean },
    private readonly release: () => void,
  ) {}

  /** A Whisper folder, or such a model of the Hugging Face Hub. Errors: those of loading; INVALID_ARGUMENT for a model that does not hear. */
  static async fromPretrained(source: ModelFolderSource, { device, ...options }: SpeechRecognizerOptions = {}): Promise<SpeechRecognizer> {
    await using folder = await openModelFolder(source, options);
    const held = new HeldDevice(device, options.log);
    try {
      const { architecture, config } = modelPlan(folder, { head: "seq2seq-lm" });
      if (config.modelType !== "whisper") throw new HeddleError("INVALID_ARGUMENT", `[${folder.label}] is a ${config.modelType} model, which does not hear: choose a Whisper folder`);
      const tokenizer = tokenizerOf(folder);
      const { model } = await loadModel(await held.open(() => modelTrial(architecture, config, USUAL_BATCH)), folder, { ...options, head: "seq2seq-lm" });
      const generation = (await readJson(folder, "generation_config.json")) as { suppress_tokens?: number[]; begin_suppress_tokens?: number[]; no_timestamps_token_id?: number; is_multilingual?: boolean } | undefined;
      const choices = { suppressTokens: generation?.suppress_tokens ?? config.suppressTokens, beginSuppressTokens: generation?.begin_suppress_tokens ?? config.beginSuppressTokens };
      const facts = { noTimestamps: generation?.no_timestamps_token_id ?? tokenizer.tokenToId("<|notimestamps|>"), isMultilingual: generation?.is_multilingual ?? config.vocabSize >= MULTILINGUAL_VOCABULARY };
      return new SpeechRecognizer(model, tokenizer, choices, facts, () => held.release());
    } catch (error) {
      held.release();
      throw error;
    }
  }

  /**
   * What is said in a recording of any length, utterance by utterance.
   *
   * @throws INVALID_ARGUMENT for a language that the model does not know, ABORTED
   */
  async transcribe(sound: Sound, options: TranscribeOptions = {}): Promise<Transcription> {
    const segments: TranscribedSegment[] = [];
    for await (const segment of this.stream(sound, options)) segments.push(segment);
    return { text: segments.map(({ text }) => text).join(" "), segments };
  }

  /** The same as it comes. */
  async *stream(sound: Sound, { language, task = "transcribe", signal, onProgress }: TranscribeOptions = {}): AsyncGenerator<TranscribedSegment, void, undefined> {
    const samples = resample(sound, SAMPLE_RATE);
    let prompt: readonly number[] | undefined;
    for (const { begin, end } of findUtterances(samples, SAMPLE_RATE, this.#maxSeconds)) {
      const source = await this.#hear(samples.subarray(begin, end), signal);
      prompt ??= await this.#prompt(source, language, task, signal);
      const text = this.tokenizer.decode(await this.#write(source, prompt, signal)).trim();
      onProgress?.({ doneSeconds: end / SAMPLE_RATE, totalSeconds: samples.length / SAMPLE_RATE });
      if (text !== "") yield { text, startSeconds: begin / SAMPLE_RATE, endSeconds: end / SAMPLE_RATE };
    }
  }

  /** Frees the model, and the device where it was opened for this recognizer. */
  dispose(): void {
    this.#session?.dispose();
    this.#source?.dispose();
    this.model.dispose();
    this.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #hear(samples: Float32Array, signal: AbortSignal | undefined): Promise<EncodedSource> {
    const inputs = { inputFeatures: logMelSpectrogram(samples, this.#features) };
    if (this.#source) await this.#source.read(inputs, signal);
    else this.#source = await EncodedSource.encode(this.model, inputs, signal);
    return this.#source;
  }

  get #config(): WhisperConfig {
    return this.model.config as WhisperConfig;
  }

  get #features(): { melBins: number; frames: number } {
    return { melBins: this.#config.numMelBins, frames: FRAMES_PER_PLACE * this.#config.maxSourcePositions };
  }

  get #maxSeconds(): number {
    return this.#features.frames / FRAMES_PER_SECOND;
  }

  /** The tokens that tell the model what to do; those of the language and the task only where it knows several. */
  async #prompt(source: EncodedSource, language: string | undefined, task: string, signal: AbortSignal | undefined): Promise<readonly number[]> {
    const { tokenizer } = this;
    const start = this.#config.decoderStartTokenId;
    const { noTimestamps, isMultilingual } = this.facts;
    const end = noTimestamps === undefined ? [] : [noTimestamps];
    const taskId = tokenizer.tokenToId(`<|${task}|>`);
    if (taskId === undefined || !isMultilingual) return [start, ...end];
    const chosen = language === undefined ? undefined : tokenizer.tokenToId(`<|${language}|>`);
    if (language !== undefined && chosen === undefined) throw new HeddleError("INVALID_ARGUMENT", `[transcribe] the model does not know the language ${JSON.stringify(language)}: give its two letters, such as en`);
    let languageId = chosen;
    if (languageId === undefined) for await (const { token } of generate(this.model, [[start]], { maxNewTokens: 1, allowedTokens: () => this.#languages(), ...(signal && { signal }) }, { source })) languageId = token;
    return [start, languageId!, taskId, ...end];
  }

  #languages(): number[] {
    const ids: number[] = [];
    for (let id = this.#config.decoderStartTokenId + 1; /^<\|[a-z]{2,3}\|>$/.test(this.tokenizer.idToToken(id) ?? ""); id++) ids.push(id);
    return ids;
  }

  async #write(source: EncodedSource, prompt: readonly number[], signal: AbortSignal | undefined): Promise<number[]> {
    const tokens: number[] = [];
    const room = this.#config.maxPositionEmbeddings - prompt.length;
    this.#session ??= openSession(this.model, [prompt], room, source);
    this.#session.reset();
    for await (const { token, finishReason } of generate(this.model, [prompt], { ...this.choices, maxNewTokens: room, ...(signal && { signal }) }, { session: this.#session })) {
      if (finishReason !== "stop") tokens.push(token);
    }
    return tokens;
  }
}
