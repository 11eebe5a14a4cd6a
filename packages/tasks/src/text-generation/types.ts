import type { ChatMessage, FinishReason, GenerationOptions, OutputSchema } from "@heddle/transformer";
import type { LoadingOptions } from "../inference/loading.ts";

export type TextGeneratorOptions = LoadingOptions;

/** Where nothing is said, what the model's generation_config.json says counts, and then the default. */
export interface TextGenerationOptions extends Omit<GenerationOptions, "eosTokenIds" | "allowedTokens"> {
  /** The text is JSON of this schema, on one line, and comes with its value. A zod schema, or a JSON schema as an object. */
  readonly schema?: OutputSchema;
  /** Texts at whose first the answer ends; they are not part of it. */
  readonly stopStrings?: readonly string[];
  /** More than 1: beam search, all at once. */
  readonly numBeams?: number;
  readonly lengthPenalty?: number;
  readonly earlyStopping?: boolean | "never";
}

/** A text to go on with, or a conversation to answer. */
export type Prompt = string | readonly ChatMessage[];

/** A piece of an answer as it comes. */
export interface GeneratedPiece {
  /** Whole characters; "" where a token completes none. */
  readonly text: string;
  readonly token?: number;
  /** Where asked for. */
  readonly logProbability?: number;
  /** With the last piece. */
  readonly finishReason?: FinishReason;
  /** With the last piece, where a schema was given. */
  readonly value?: unknown;
}

export interface GeneratedText {
  /** Without the prompt. */
  readonly text: string;
  readonly tokens: readonly number[];
  /** Of each token, where asked for. */
  readonly logProbabilities?: readonly number[];
  readonly finishReason: FinishReason;
  /** Of the text's JSON, where a schema was given. */
  readonly value?: unknown;
}

/** Options with a schema, whose value has the schema's type. */
export type SchemaOptions<T> = TextGenerationOptions & { readonly schema: OutputSchema<T> };
export type GeneratedValue<T> = GeneratedText & { readonly value: T };
