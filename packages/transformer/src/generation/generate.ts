import { HeddleError } from "@heddle/kernels";
import { textConfigOf } from "../config/index.ts";
import type { Model } from "../models/model.ts";
import { throwIfAborted } from "./abort.ts";
import { resolveOptions, type GenerationOptions } from "./options.ts";
import { pickInputs, pickOf } from "./pick.ts";
import { Rules } from "./rules.ts";
import { DecodingSession } from "./session.ts";
import type { EncodedSource } from "./source.ts";

/** A new token of one text. */
export interface GeneratedToken {
  /** Which of the prompts goes on. */
  readonly row: number;
  readonly token: number;
  /** Where asked for. */
  readonly logProbability?: number;
  /** Set with the text's last token. */
  readonly finishReason?: FinishReason;
}

/** `stop`: a token that ends texts; `length`: as many tokens as were asked for, or as the model takes. */
export type FinishReason = "stop" | "length";

/** What texts are written with. */
export interface GenerationContext {
  readonly session?: DecodingSession;
  readonly source?: EncodedSource;
  /** New tokens of each text that are chosen already: of a text that was broken off. */
  readonly chosen?: readonly (readonly number[])[];
}

const MAX_NEW_TOKENS = 128;

/** Capacities of caches: a few, so that plans are used again. */
const SMALLEST_CAPACITY = 64;

/**
 * Goes on with texts of tokens, all at once, one token of each at a time as they come. Nothing runs while the caller does not ask for
 * the next token.
 *
 * @param prompts at least one token each
 * @param context a session of `openSession`, with a row a prompt: what its caches hold of the prompts is not read again. By default a new
 *   one, which is freed at the end; then a sequence-to-sequence model wants what it has read, with a row a prompt
 * @throws INVALID_ARGUMENT, LIMIT_EXCEEDED for a prompt longer than the model takes, ABORTED
 */
export async function* generate(model: Model, prompts: readonly (readonly number[])[], options: GenerationOptions = {}, { session, source, chosen = [] }: GenerationContext = {}): AsyncGenerator<GeneratedToken, void, undefined> {
  const resolved = resolveOptions(options);
  const { signal } = resolved;
  if (prompts.length === 0) return;
  checkPrompts(model, prompts);
  const eosTokenIds = resolved.eosTokenIds ?? endingTokens(model);
  const limit = tokenLimit(model, prompts, resolved.maxNewTokens);
  const own = session ? null : openSession(model, prompts, limit, source);
  const decoding = session ?? own!;
  const pick = pickOf(resolved);
  const rules = new Rules(withForcedEnd(resolved, model), textConfigOf(model.config).vocabSize, eosTokenIds, limit);
  const texts = prompts.map((prompt, row) => ({ prompt, newTokens: [...(chosen[row] ?? [])], done: false }));
  try {
    let next = texts.map(({ prompt, newTokens }, row) => decoding.goOnWith(row, [...prompt, ...newTokens]));
    for (let step = texts[0]!.newTokens.length; texts.some(({ done }) => !done); step++) {
      throwIfAborted(signal);
      const outputs = await decoding.feed(next, pick, { ...(await rules.inputs(texts)), ...pickInputs(resolved, prompts.length, step) }, signal);
      const { token: tokens, logProbability } = outputs;
      next = Array.from(tokens!.data, (token) => [token]);
      for (const [row, text] of texts.entries()) {
        if (text.done) continue;
        const token = tokens!.data[row]!;
        text.newTokens.push(token);
        const finishReason = eosTokenIds.includes(token) ? "stop" : text.newTokens.length >= limit ? "length" : undefined;
        text.done = finishReason !== undefined;
        yield { row, token, ...(logProbability && { logProbability: logProbability.data[row]! }), ...(finishReason && { finishReason }) };
      }
    }
  } finally {
    own?.dispose();
  }
}

/** Caches for texts that begin with `prompts` and grow by at most `newTokens`. */
export function openSession(model: Model, prompts: readonly (readonly number[])[], newTokens: number, source?: EncodedSource): DecodingSession {
  const wanted = Math.max(...prompts.map(({ length }) => length)) + newTokens;
  let capacity = SMALLEST_CAPACITY;
  while (capacity < wanted) capacity *= 2;
  return new DecodingSession(model, prompts.length, Math.max(wanted, Math.min(capacity, textConfigOf(model.config).maxPositionEmbeddings)), source);
}

/** How many tokens may follow. Throws LIMIT_EXCEEDED where none may. */
export function tokenLimit(model: Model, prompts: readonly (readonly number[])[], maxNewTokens = MAX_NEW_TOKENS): number {
  const longest = Math.max(...prompts.map(({ length }) => length));
  const { maxPositionEmbeddings } = textConfigOf(model.config);
  const room = maxPositionEmbeddings - longest;
  if (room < 1) throw new HeddleError("LIMIT_EXCEEDED", `[generate] a prompt has ${longest} tokens, ${model.architecture.name} takes texts of at most ${maxPositionEmbeddings}, the answer included; shorten it`);
  return Math.min(maxNewTokens, room);
}

export function checkPrompts(model: Model, prompts: readonly (readonly number[])[]): void {
  const { vocabSize } = textConfigOf(model.config);
  prompts.forEach((prompt, row) => {
    if (prompt.length === 0) throw new HeddleError("INVALID_ARGUMENT", `[generate] prompt ${row} has no token: begin with one that starts texts, such as the tokenizer's bos_token`);
    const wrong = prompt.find((token) => !Number.isInteger(token) || token < 0 || token >= vocabSize);
    if (wrong !== undefined) throw new HeddleError("INVALID_ARGUMENT", `[generate] prompt ${row} has token ${wrong}, the model's are 0 to ${vocabSize - 1}: use the tokenizer of this model`);
  });
}

/** Options with what config.json forces at the end. */
export function withForcedEnd<O extends { readonly forcedEosTokenId?: number }>(options: O, { config }: Model): O {
  const forced = options.forcedEosTokenId ?? ("forcedEosTokenId" in config ? config.forcedEosTokenId : undefined);
  return { ...options, ...(forced !== undefined && { forcedEosTokenId: forced }) };
}

/** Tokens that end a model's texts. */
export const endingTokens = ({ config }: Model): readonly number[] => ("eosTokenIds" in config ? config.eosTokenIds : []);

