import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { parseJsonFile } from "../checkpoint/json.ts";
import { tokenId, tokenIds } from "../config/decoder.ts";
import type { BeamOptions, GenerationOptions } from "./options.ts";

/** How a model's authors want its texts written. */
export type StoredGenerationOptions = Pick<GenerationOptions, "maxNewTokens" | "minNewTokens" | "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty" | "noRepeatNgramSize" | "suppressTokens" | "beginSuppressTokens" | "forcedTokens" | "forcedEosTokenId" | "eosTokenIds"> &
  Partial<Pick<BeamOptions, "numBeams" | "lengthPenalty" | "earlyStopping">>;

const positive = z.number().positive();

/** Keys of transformers' `GenerationConfig`; those of no use here are not looked at. */
const schema = z.object({
  max_length: z.int().positive().nullish(),
  max_new_tokens: z.int().positive().nullish(),
  min_length: z.int().nonnegative().nullish(),
  min_new_tokens: z.int().nonnegative().nullish(),
  num_beams: z.int().positive().nullish(),
  length_penalty: z.number().nullish(),
  early_stopping: z.union([z.boolean(), z.literal("never")]).nullish(),
  no_repeat_ngram_size: z.int().nonnegative().nullish(),
  repetition_penalty: positive.nullish(),
  do_sample: z.boolean().nullish(),
  temperature: positive.nullish(),
  top_k: z.int().nonnegative().nullish(),
  top_p: z.number().positive().max(1).nullish(),
  min_p: z.number().min(0).lt(1).nullish(),
  bos_token_id: tokenId.nullish(),
  eos_token_id: tokenIds.nullish(),
  forced_bos_token_id: tokenId.nullish(),
  force_bos_token_to_be_generated: z.boolean().nullish(),
  forced_eos_token_id: tokenIds.nullish(),
  suppress_tokens: z.array(tokenId).nullish(),
  begin_suppress_tokens: z.array(tokenId).nullish(),
  bad_words_ids: z.array(z.array(tokenId)).nullish(),
});

/** transformers' default, which says nothing. */
const DEFAULT_MAX_LENGTH = 20;

/**
 * The options that generation_config.json, an older config.json or one of its `task_specific_params` gives, as text or object. Draws
 * only where `do_sample` says so; of `bad_words_ids` those of one token count.
 *
 * @param begins what the model's texts begin with: `max_length` and `min_length` count the one token of an encoder–decoder; behind a
 *   prompt, whose length nobody knows yet, they count for nothing
 * @param file for errors
 * @throws CONFIG_INVALID
 */
export function storedGenerationOptions(source: unknown, file: string, begins: "with a token" | "with a prompt"): StoredGenerationOptions {
  const json = typeof source === "string" ? parseJsonFile(source, `[${file}]`) : source;
  const result = schema.safeParse(json);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "(whole file)"}: ${issue.message}`);
    throw new HeddleError("CONFIG_INVALID", `[${file}] ${problems.join("; ")}: correct these keys, or download the file again`, { cause: result.error });
  }
  const stored = result.data;
  const countsLength = begins === "with a token";
  const maxLength = !countsLength || stored.max_length === DEFAULT_MAX_LENGTH ? undefined : stored.max_length;
  const forcedBos = stored.forced_bos_token_id ?? (stored.force_bos_token_to_be_generated ? (stored.bos_token_id ?? undefined) : undefined);
  const badTokens = (stored.bad_words_ids ?? []).flatMap((word) => (word.length === 1 ? word : []));
  const suppressed = [...(stored.suppress_tokens ?? []), ...badTokens];
  const options: Record<string, unknown> = {
    maxNewTokens: stored.max_new_tokens ?? (maxLength ? Math.max(1, maxLength - 1) : undefined),
    minNewTokens: stored.min_new_tokens ?? (countsLength && stored.min_length ? stored.min_length - 1 : undefined),
    numBeams: stored.num_beams,
    lengthPenalty: stored.length_penalty,
    earlyStopping: stored.early_stopping,
    noRepeatNgramSize: stored.no_repeat_ngram_size,
    repetitionPenalty: stored.repetition_penalty,
    ...(stored.do_sample && { temperature: stored.temperature ?? 1, topK: stored.top_k ?? 50, topP: stored.top_p, minP: stored.min_p }),
    forcedTokens: forcedBos === undefined ? undefined : [forcedBos],
    forcedEosTokenId: stored.forced_eos_token_id?.[0],
    eosTokenIds: stored.eos_token_id,
    beginSuppressTokens: stored.begin_suppress_tokens,
    suppressTokens: suppressed.length === 0 ? undefined : suppressed,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== null));
}
