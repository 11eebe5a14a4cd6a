import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { parseJson } from "../checkpoint/json.ts";
import { tokenId, tokenIds } from "./decoder.ts";
import { optional } from "./schema.ts";

const ids = optional(z.array(tokenId));

/** Keys of transformers' `GenerationConfig`; all may be absent, and those that Heddle does not know are passed over. */
const generationSchema = z.object({
  do_sample: optional(z.boolean()),
  temperature: optional(z.number().nonnegative()),
  top_k: optional(z.int().nonnegative()),
  top_p: optional(z.number().positive().max(1)),
  min_p: optional(z.number().min(0).lt(1)),
  repetition_penalty: optional(z.number().positive()),
  no_repeat_ngram_size: optional(z.int().nonnegative()),
  max_new_tokens: optional(z.int().positive()),
  min_new_tokens: optional(z.int().nonnegative()),
  suppress_tokens: ids,
  begin_suppress_tokens: ids,
  forced_eos_token_id: optional(tokenIds),
  eos_token_id: optional(tokenIds),
});

/** What a model's authors found to suit it, under the names of `GenerationOptions`; only what the file says. */
export interface GenerationDefaults {
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly noRepeatNgramSize?: number;
  readonly maxNewTokens?: number;
  readonly minNewTokens?: number;
  readonly suppressTokens?: readonly number[];
  readonly beginSuppressTokens?: readonly number[];
  readonly forcedEosTokenId?: number;
  readonly eosTokenIds?: readonly number[];
}

/**
 * Parses generation_config.json (text or object). Without `do_sample` the likeliest token is taken, so what says how to draw
 * counts for nothing.
 *
 * @throws CONFIG_INVALID, each wrong key named
 */
export function parseGenerationConfig(source: string | object): GenerationDefaults {
  let json: unknown = source;
  try {
    if (typeof source === "string") json = parseJson(source);
  } catch (cause) {
    throw new HeddleError("CONFIG_INVALID", "[generation_config.json] is no valid JSON: download it again, or remove it", { cause });
  }
  const result = generationSchema.safeParse(json);
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => `${path.join(".") || "(whole file)"}: ${message}`);
    throw new HeddleError("CONFIG_INVALID", `[generation_config.json] ${problems.join("; ")}: correct these keys, or remove the file`, { cause: result.error });
  }
  const found = result.data;
  const drawing = found.do_sample === true ? { temperature: found.temperature ?? 1, topK: found.top_k, topP: found.top_p, minP: found.min_p } : {};
  const all: GenerationDefaults = {
    ...drawing,
    repetitionPenalty: found.repetition_penalty,
    noRepeatNgramSize: found.no_repeat_ngram_size,
    maxNewTokens: found.max_new_tokens,
    minNewTokens: found.min_new_tokens,
    suppressTokens: found.suppress_tokens,
    beginSuppressTokens: found.begin_suppress_tokens,
    forcedEosTokenId: found.forced_eos_token_id?.[0],
    eosTokenIds: found.eos_token_id,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
