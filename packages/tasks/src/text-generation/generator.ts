import { HeddleError } from "@heddle/kernels";
import { applyChatTemplate, beamSearch, endingTokens, generate, hasChatTemplate, openSession, SchemaGrammars, StreamDecoder, textConfigOf, tokenLimit, type DecodingSession, type GeneratedToken, type GenerationOptions, type ModelFolderSource, type OutputSchema, type SchemaConstraint } from "@heddle/transformer";
import { HeldDevice } from "../inference/device.ts";
import { said } from "../inference/said.ts";
import { loadTextModel, type LoadedTextModel } from "../inference/load.ts";
import { StopStrings } from "./stop-strings.ts";
import type { GeneratedPiece, GeneratedText, GeneratedValue, Prompt, SchemaOptions, TextGenerationOptions, TextGeneratorOptions } from "./types.ts";

interface OpenedModel {
  readonly loaded: LoadedTextModel;
  /** Disposes of the device where it was opened here. */
  release(): void;
}

/** Prompts in, texts out: a decoder with its tokenizer. */
export class TextGenerator {
  /** The caches of the last text by itself: a conversation that goes on reads only what is new. */
  #held: DecodingSession | null = null;
  #grammars: SchemaGrammars | null = null;
  #disposed = false;

  private constructor(
    private opened: OpenedModel,
    /** Opens it anew when its device was lost; a device of the caller's is the caller's to replace. */
    private readonly reopen: (() => Promise<OpenedModel>) | null,
  ) {}

  /** A model folder (its path, its address, picked files), a GGUF file, or a model of the Hugging Face Hub. Errors: those of loading; INVALID_ARGUMENT for a model that writes no text. */
  static async fromPretrained(source: ModelFolderSource, { device, ...options }: TextGeneratorOptions = {}): Promise<TextGenerator> {
    const open = async (): Promise<OpenedModel> => {
      const held = new HeldDevice(device, options.log);
      try {
        return { loaded: await loadTextModel(held, source, { ...options, head: "causal-lm" }), release: () => held.release() };
      } catch (error) {
        held.release();
        throw error;
      }
    };
    return new TextGenerator(await open(), typeof device === "object" ? null : open);
  }

  /** Tokens of the longest text, the prompt included. */
  get maxLength(): number {
    return this.opened.loaded.maxLength;
  }

  /** Whether it answers conversations, and not only goes on with texts. */
  get hasChatTemplate(): boolean {
    return hasChatTemplate(this.opened.loaded.tokenizer);
  }

  /**
   * The answer piece by piece. Stopping the loop stops the work.
   *
   * @throws INVALID_ARGUMENT, LIMIT_EXCEEDED for a prompt longer than the model takes, SCHEMA_INVALID, SCHEMA_NOT_MET after the last
   *   piece of JSON that is not whole, ABORTED
   */
  async *stream(prompt: Prompt, options: TextGenerationOptions = {}): AsyncGenerator<GeneratedPiece, void, undefined> {
    if ((options.numBeams ?? 1) > 1) throw new HeddleError("INVALID_ARGUMENT", "[generate] a beam search knows its text only at the end: use generate(), or numBeams 1");
    const tokens = this.encode(prompt);
    const { stopStrings = [], schema, ...given } = options;
    const constraint = schema && (await this.#constrain(schema));
    try {
      const decoder = new StreamDecoder(this.#usable().tokenizer, tokens);
      const stops = new StopStrings(stopStrings);
      let whole = "";
      for await (const { token, logProbability, finishReason } of this.#tokens(tokens, this.#settled(given, constraint))) {
        let text = finishReason === "stop" ? "" : stops.push(decoder.push(token));
        if (finishReason) text += stops.push(decoder.flush()) + stops.flush();
        whole += text;
        const reason = stops.stopped ? "stop" : finishReason;
        const piece = { text, token, ...(logProbability !== undefined && { logProbability }), ...(reason && { finishReason: reason }) };
        if (!reason) yield piece;
        else if (!constraint) return yield piece;
        else return yield* lastPiece(piece, () => valueOf(constraint, whole, reason));
      }
    } finally {
      constraint?.dispose();
    }
  }

  /** The answer to each prompt, in their order; those of a list are worked on together. */
  async generate<T>(prompt: Prompt, options: SchemaOptions<T>): Promise<GeneratedValue<T>>;
  async generate<T>(prompts: readonly string[], options: SchemaOptions<T>): Promise<GeneratedValue<T>[]>;
  async generate(prompt: Prompt, options?: TextGenerationOptions): Promise<GeneratedText>;
  async generate(prompts: readonly string[], options?: TextGenerationOptions): Promise<GeneratedText[]>;
  async generate(prompt: Prompt | readonly string[], options: TextGenerationOptions = {}): Promise<GeneratedText | GeneratedText[]> {
    if (isTexts(prompt)) return this.#generateAll(prompt.map((text) => this.encode(text)), options);
    if ((options.numBeams ?? 1) > 1) return (await this.#generateAll([this.encode(prompt)], options))[0]!;
    const pieces: GeneratedPiece[] = [];
    for await (const piece of this.stream(prompt, options)) pieces.push(piece);
    const logProbabilities = options.logProbabilities ? { logProbabilities: pieces.map((piece) => piece.logProbability!) } : {};
    return { text: pieces.map(({ text }) => text).join(""), tokens: pieces.flatMap(({ token }) => token ?? []), ...logProbabilities, finishReason: pieces.at(-1)?.finishReason ?? "length", ...(options.schema && { value: pieces.at(-1)?.value }) };
  }

  /** A prompt's tokens, a conversation by the model's chat template. */
  encode(prompt: Prompt): number[] {
    const { tokenizer } = this.#usable();
    if (typeof prompt === "string") return [...tokenizer.encode(prompt).ids];
    return [...tokenizer.encode(applyChatTemplate(tokenizer, prompt), { addSpecialTokens: false }).ids];
  }

  /** Frees the model, and the device where it was opened for this generator. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#close();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The tokens of one text; where the device is lost in the middle, the model is loaded anew and goes on. */
  async *#tokens(prompt: readonly number[], options: GenerationOptions): AsyncGenerator<GeneratedToken, void, undefined> {
    const chosen: number[] = [];
    for (;;) {
      const { model } = this.#usable();
      const session = this.#take(prompt, options.maxNewTokens);
      try {
        for await (const next of generate(model, [prompt], options, { session, chosen: [chosen] })) {
          chosen.push(next.token);
          yield next;
        }
        return;
      } catch (error) {
        if (!this.reopen || !HeddleError.isInstance(error) || error.code !== "DEVICE_LOST") throw error;
        session.dispose();
        // Another text may have noticed before.
        if (model === this.opened.loaded.model) {
          this.#close();
          this.opened = await this.reopen();
        }
      } finally {
        this.#giveBack(session);
      }
    }
  }

  #close(): void {
    this.#held?.dispose();
    this.#held = null;
    this.#grammars?.dispose();
    this.#grammars = null;
    this.opened.loaded.model.dispose();
    this.opened.release();
  }

  /** What the caller says, and where that is nothing what the model's authors said. */
  #settled(given: GenerationOptions, constraint: SchemaConstraint | undefined): GenerationOptions {
    return { ...this.opened.loaded.generation, ...said(given), ...(constraint && { allowedTokens: constraint.allowedTokens }) };
  }

  #constrain<T>(schema: OutputSchema<T>): Promise<SchemaConstraint<T>> {
    const { model, tokenizer, generation } = this.#usable();
    this.#grammars ??= new SchemaGrammars(tokenizer, textConfigOf(model.config).vocabSize, generation.eosTokenIds ?? endingTokens(model));
    return this.#grammars.constrain(schema);
  }

  async #generateAll(prompts: readonly number[][], { schema, ...options }: TextGenerationOptions): Promise<GeneratedText[]> {
    if (!schema) return this.#finished(prompts, options);
    if ((options.numBeams ?? 1) > 1) throw new HeddleError("INVALID_ARGUMENT", "[generate] beams are not held to a schema: use numBeams 1");
    const constraint = await this.#constrain(schema);
    try {
      const texts = await this.#finished(prompts, options, constraint);
      return texts.map((text, i) => ({ ...text, value: valueOf(constraint, text.text, text.finishReason, prompts.length > 1 ? i : undefined) }));
    } finally {
      constraint.dispose();
    }
  }

  async #finished(prompts: readonly number[][], { stopStrings = [], numBeams = 1, lengthPenalty, earlyStopping, ...given }: TextGenerationOptions, constraint?: SchemaConstraint): Promise<GeneratedText[]> {
    const { model, tokenizer } = this.#usable();
    const options = this.#settled(given, constraint);
    const finish = (tokens: readonly number[], finishReason: GeneratedText["finishReason"], logProbabilities?: readonly number[]): GeneratedText => {
      const stops = new StopStrings(stopStrings);
      const text = stops.push(tokenizer.decode(tokens)) + stops.flush();
      return { text, tokens, ...(logProbabilities && { logProbabilities }), finishReason: stops.stopped ? "stop" : finishReason };
    };
    if (numBeams > 1) {
      const texts = await beamSearch(model, prompts, { ...options, numBeams, ...(lengthPenalty !== undefined && { lengthPenalty }), ...(earlyStopping !== undefined && { earlyStopping }) });
      return texts.map((tokens) => finish(tokens, tokens.length < tokenLimit(model, prompts, options.maxNewTokens) ? "stop" : "length"));
    }
    const rows = prompts.map(() => ({ tokens: [] as number[], logProbabilities: [] as number[], reason: "length" as GeneratedText["finishReason"] }));
    for await (const { row, token, logProbability, finishReason } of generate(model, prompts, options)) {
      const text = rows[row]!;
      text.tokens.push(token);
      if (logProbability !== undefined) text.logProbabilities.push(logProbability);
      if (finishReason) text.reason = finishReason;
    }
    return rows.map(({ tokens, logProbabilities, reason }) => finish(tokens, reason, options.logProbabilities ? logProbabilities : undefined));
  }

  /** Caches with room for the answer: those of the last text by itself where they are large enough. */
  #take(tokens: readonly number[], maxNewTokens: number | undefined): DecodingSession {
    const { model } = this.opened.loaded;
    const newTokens = tokenLimit(model, [tokens], maxNewTokens);
    const held = this.#held;
    this.#held = null;
    if (held && held.capacity >= tokens.length + newTokens) return held;
    held?.dispose();
    return openSession(model, [tokens], newTokens);
  }

  /** Texts written at the same time have caches of their own; those of one are kept. */
  #giveBack(session: DecodingSession): void {
    if (this.#disposed || this.#held || session.model !== this.opened.loaded.model) session.dispose();
    else this.#held = session;
  }

  #usable(): LoadedTextModel {
    if (this.#disposed) throw new HeddleError("DISPOSED", "[generate] the generator was disposed: load the model again");
    return this.opened.loaded;
  }
}

const isTexts = (prompt: Prompt | readonly string[]): prompt is readonly string[] => Array.isArray(prompt) && prompt.every((item) => typeof item === "string");

/** JSON's value. Throws SCHEMA_NOT_MET: the grammar holds a text that has ended, not one that was cut. */
function valueOf<T>(constraint: SchemaConstraint<T>, text: string, reason: GeneratedText["finishReason"], prompt?: number): T {
  try {
    return constraint.parse(text);
  } catch (cause) {
    if (reason !== "length") throw cause;
    throw new HeddleError("SCHEMA_NOT_MET", `[generate] ${prompt === undefined ? "the" : `prompt ${prompt}: the`} JSON is not whole after as many tokens as it may have (${JSON.stringify(text.slice(-60))}): allow more with maxNewTokens, or bound the schema's strings and lists by maxLength and maxItems`, { cause });
  }
}

/** A text's end: shown also where its JSON is not whole, which is said after it. */
function* lastPiece(piece: GeneratedPiece, value: () => unknown): Generator<GeneratedPiece, void, undefined> {
  let found: { readonly value: unknown };
  try {
    found = { value: value() };
  } catch (error) {
    yield piece;
    throw error;
  }
  yield { ...piece, ...found };
}
