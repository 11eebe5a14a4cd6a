import { HeddleError } from "@heddle/kernels";
import { applyChatTemplate, beamSearch, endingTokens, generate, hasChatTemplate, openSession, SchemaGrammars, StreamDecoder, textConfigOf, tokenLimit, type DecodingSession, type GeneratedToken, type GenerationOptions, type Model, type ModelFolderSource, type OutputSchema, type SchemaConstraint } from "@heddle/transformer";
import { HeldModel } from "../inference/held-model.ts";
import { said } from "../inference/said.ts";
import { loadTextModel, type LoadedTextModel } from "../inference/load.ts";
import { piecesOf } from "./pieces.ts";
import { StopStrings } from "./stop-strings.ts";
import type { GeneratedPiece, GeneratedText, GeneratedValue, Prompt, SchemaOptions, TextGenerationOptions, TextGeneratorOptions } from "./types.ts";

/** Prompts in, texts out: a decoder with its tokenizer. */
export class TextGenerator {
  /** The caches of the last text by itself: a conversation that goes on reads only what is new. */
  #held: DecodingSession | null = null;
  #grammars: SchemaGrammars | null = null;

  private constructor(private readonly model: HeldModel<LoadedTextModel>) {
    model.forget = () => {
      this.#held?.dispose();
      this.#held = null;
    };
  }

  /** A model folder (its path, its address, picked files), a GGUF file, or a model of the Hugging Face Hub. Errors: those of loading; INVALID_ARGUMENT for a model that writes no text. */
  static async fromPretrained(source: ModelFolderSource, options: TextGeneratorOptions = {}): Promise<TextGenerator> {
    return new TextGenerator(await HeldModel.open(options, (held, given) => loadTextModel(held, source, { ...given, head: "causal-lm" }), "generate"));
  }

  /** Tokens of the longest text, the prompt included. */
  get maxLength(): number {
    return this.model.loaded.maxLength;
  }

  /** Whether it answers conversations, and not only goes on with texts. */
  get hasChatTemplate(): boolean {
    return hasChatTemplate(this.model.loaded.tokenizer);
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
      const decoder = new StreamDecoder(this.model.loaded.tokenizer, tokens);
      let whole = "";
      for await (const piece of piecesOf(this.#tokens(tokens, this.#settled(given, constraint)), decoder, stopStrings)) {
        whole += piece.text;
        if (!piece.finishReason || !constraint) yield piece;
        else yield* lastPiece(piece, () => valueOf(constraint, whole, piece.finishReason!));
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
    const { tokenizer } = this.model.loaded;
    if (typeof prompt === "string") return [...tokenizer.encode(prompt).ids];
    return [...tokenizer.encode(applyChatTemplate(tokenizer, prompt), { addSpecialTokens: false }).ids];
  }

  /** Frees the model, and the device where it was opened for this generator. */
  dispose(): void {
    this.#grammars?.dispose();
    this.#grammars = null;
    this.model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #tokens(prompt: readonly number[], options: GenerationOptions): AsyncGenerator<GeneratedToken, void, undefined> {
    const { model } = this;
    const [take, giveBack] = [this.#take.bind(this), this.#giveBack.bind(this)];
    return model.write(async function* (loaded, chosen) {
      const session = take(loaded.model, prompt, options.maxNewTokens);
      try {
        yield* generate(loaded.model, [prompt], options, { session, chosen: [chosen] });
      } finally {
        giveBack(session);
      }
    });
  }

  /** What the caller says, and where that is nothing what the model's authors said. */
  #settled(given: GenerationOptions, constraint: SchemaConstraint | undefined): GenerationOptions {
    return { ...this.model.loaded.generation, ...said(given), ...(constraint && { allowedTokens: constraint.allowedTokens }) };
  }

  #constrain<T>(schema: OutputSchema<T>): Promise<SchemaConstraint<T>> {
    const { model, tokenizer, generation } = this.model.loaded;
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

  #finished(prompts: readonly number[][], { stopStrings = [], numBeams = 1, lengthPenalty, earlyStopping, ...given }: TextGenerationOptions, constraint?: SchemaConstraint): Promise<GeneratedText[]> {
    const options = this.#settled(given, constraint);
    return this.model.run(async ({ model, tokenizer }) => {
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
    });
  }

  /** Caches with room for the answer: those of the last text by itself where they are large enough. */
  #take(model: Model, tokens: readonly number[], maxNewTokens: number | undefined): DecodingSession {
    const newTokens = tokenLimit(model, [tokens], maxNewTokens);
    const held = this.#held;
    this.#held = null;
    if (held && held.capacity >= tokens.length + newTokens) return held;
    held?.dispose();
    return openSession(model, [tokens], newTokens);
  }

  /** Texts written at the same time have caches of their own; those of one are kept. */
  #giveBack(session: DecodingSession): void {
    if (this.#held || !this.model.isCurrent(session.model)) session.dispose();
    else this.#held = session;
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
