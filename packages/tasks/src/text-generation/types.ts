import type { ChatMessage, FinishReason, GenerationOptions, LoadDtype } from "@heddle/transformer";
import type { DeviceChoice } from "../inference/device.ts";

export interface TextGeneratorOptions {
  readonly device?: DeviceChoice;
  /** How weights are held: `quantized`, as a GGUF file has them, or `float32`. Default: as `loadModel` has it. */
  readonly dtype?: LoadDtype | undefined;
  readonly signal?: AbortSignal;
  /** Hears which device "auto" has chosen, and why. Default: `console.warn`. */
  readonly log?: (line: string) => void;
}

export interface TextGenerationOptions extends Omit<GenerationOptions, "eosTokenIds" | "allowedTokens"> {
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
}

export interface GeneratedText {
  /** Without the prompt. */
  readonly text: string;
  readonly tokens: readonly number[];
  /** Of each token, where asked for. */
  readonly logProbabilities?: readonly number[];
  readonly finishReason: FinishReason;
}
