import { HeddleError } from "@heddle/kernels";

/** How tokens are chosen. Names and defaults as in transformers' `GenerationConfig`, but that sampling is asked for by a temperature. */
export interface GenerationOptions {
  /** Default 128; less where the model's longest text comes first. */
  readonly maxNewTokens?: number;
  /** Tokens before which none that ends the text is taken. Default 0. */
  readonly minNewTokens?: number;
  /** 0, the default: always the likeliest token. Else scores are divided by it and a token is drawn. */
  readonly temperature?: number;
  /** Draw from the likeliest `topK` tokens; 0, the default, from all. */
  readonly topK?: number;
  /** Draw from the fewest likeliest tokens that together have this probability (Holtzman et al. 2020). Default 1: all. */
  readonly topP?: number;
  /** Draw from tokens at least `minP` times as likely as the likeliest (Nguyen et al. 2024). Default 0: all. */
  readonly minP?: number;
  /** Above 1: scores of tokens in the prompt and the text so far are divided by it, multiplied where negative (Keskar et al. 2019). Default 1. */
  readonly repetitionPenalty?: number;
  /** Taken from the score of every token in the text so far. Default 0. */
  readonly presencePenalty?: number;
  /** Taken from it for each time that it occurred. Default 0. */
  readonly frequencyPenalty?: number;
  /** No sequence of so many tokens, prompt included, comes twice; 0, the default, for no such rule. */
  readonly noRepeatNgramSize?: number;
  /** Tokens never taken. */
  readonly suppressTokens?: readonly number[];
  /** Tokens never taken as the first one. */
  readonly beginSuppressTokens?: readonly number[];
  /** Tokens that the text begins with, whatever their scores: Whisper's language and task. */
  readonly forcedTokens?: readonly number[];
  /** The last token of a text that became as long as it may; by default what config.json says. */
  readonly forcedEosTokenId?: number;
  /** Tokens that end the text; by default those of config.json. */
  readonly eosTokenIds?: readonly number[];
  /** Which tokens may come next, of a grammar: called before every token with those so far, new ones only. The list is read before the next call. */
  readonly allowedTokens?: (newTokens: readonly number[], row: number) => ArrayLike<number> | null | Promise<ArrayLike<number> | null>;
  /** Equal seeds give equal texts on one device. Default 0. */
  readonly seed?: number;
  /** Also the log-probability of each token, of the model's own distribution. */
  readonly logProbabilities?: boolean;
  readonly signal?: AbortSignal;
}

export interface BeamOptions extends Pick<GenerationOptions, "maxNewTokens" | "minNewTokens" | "repetitionPenalty" | "noRepeatNgramSize" | "suppressTokens" | "beginSuppressTokens" | "forcedTokens" | "forcedEosTokenId" | "eosTokenIds" | "signal"> {
  /** Texts kept at each step. */
  readonly numBeams: number;
  /** Scores are divided by length to this power. Default 1. */
  readonly lengthPenalty?: number;
  /** True: stop when `numBeams` texts have ended. Default false: when no open one is likely to beat them. "never": when none can. */
  readonly earlyStopping?: boolean | "never";
}

const DEFAULTS = { minNewTokens: 0, temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, noRepeatNgramSize: 0, suppressTokens: [], beginSuppressTokens: [], forcedTokens: [], seed: 0, logProbabilities: false } as const;

export type ResolvedOptions = GenerationOptions & Required<Omit<GenerationOptions, "maxNewTokens" | "eosTokenIds" | "forcedEosTokenId" | "allowedTokens" | "signal">>;

/** Options with their defaults. Throws INVALID_ARGUMENT for one outside its range. */
export function resolveOptions(given: GenerationOptions): ResolvedOptions {
  const options: ResolvedOptions = { ...DEFAULTS, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
  const { maxNewTokens, minNewTokens, temperature, topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty, noRepeatNgramSize, seed } = options;
  if (maxNewTokens !== undefined) check("maxNewTokens", maxNewTokens, Number.isInteger(maxNewTokens) && maxNewTokens >= 1, "a whole number, at least 1");
  check("minNewTokens", minNewTokens, isCount(minNewTokens), "a whole number, at least 0");
  check("temperature", temperature, temperature >= 0 && temperature < Infinity, "0 for the likeliest token, or positive; 0.7 is usual");
  check("topK", topK, isCount(topK), "a whole number of tokens, or 0 for all; 50 is usual");
  check("topP", topP, topP > 0 && topP <= 1, "above 0 and at most 1; 0.9 is usual");
  check("minP", minP, minP >= 0 && minP < 1, "at least 0 and below 1; 0.05 is usual");
  check("repetitionPenalty", repetitionPenalty, repetitionPenalty > 0 && repetitionPenalty < Infinity, "positive; 1.1 is usual, and 1 changes nothing");
  for (const [name, penalty] of Object.entries({ presencePenalty, frequencyPenalty })) check(name, penalty, Number.isFinite(penalty), "a finite number");
  check("noRepeatNgramSize", noRepeatNgramSize, isCount(noRepeatNgramSize), "a whole number of tokens, or 0 for no rule");
  check("seed", seed, Number.isInteger(seed), "a whole number");
  return options;
}

const isCount = (value: number) => Number.isInteger(value) && value >= 0;

function check(name: string, value: number, right: boolean, wanted: string): void {
  if (!right) throw new HeddleError("INVALID_ARGUMENT", `[generate] ${name} is ${value}; it must be ${wanted}`);
}
