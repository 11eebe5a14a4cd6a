import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import type { BeamOptions, GenerationOptions } from "./options.ts";

/** How a model's authors want its texts written. */
export type StoredGenerationOptions = Pick<GenerationOptions, "maxNewTokens" | "minNewTokens" | "temperature" | "topK" | "topP" | "repetitionPenalty" | "noRepeatNgramSize" | "suppressTokens" | "forcedTokens" | "forcedEosTokenId"> &
  Partial<Pick<BeamOptions, "numBeams" | "lengthPenalty" | "earlyStopping">>;

const token = z.int().nonnegative();
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
  top_p: positive.nullish(),
  bos_token_id: token.nullish(),
  forced_bos_token_id: token.nullish(),
  force_bos_token_to_be_generated: z.boolean().nullish(),
  forced_eos_token_id: z.union([token, z.array(token).transform((ids) => ids[0])]).nullish(),
  suppress_tokens: z.array(token).nullish(),
  bad_words_ids: z.array(z.array(token)).nullish(),
});

/** transformers' default, which says nothing. */
const DEFAULT_MAX_LENGTH = 20;

/**
 * The options that generation_config.json, an older config.json or one of its `task_specific_params` gives for a model whose texts begin
 * with one token: `max_length` and `min_length` count it. Draws only where `do_sample` says so; of `bad_words_ids` those of one token count.
 *
 * @param file for errors
 * @throws CONFIG_INVALID
 */
export function storedGenerationOptions(json: unknown, file: string): StoredGenerationOptions {
  const result = schema.safeParse(json);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "(whole file)"}: ${issue.message}`);
    throw new HeddleError("CONFIG_INVALID", `[${file}] ${problems.join("; ")}: correct these keys, or download the file again`, { cause: result.error });
  }
  const stored = result.data;
  const maxLength = stored.max_length === DEFAULT_MAX_LENGTH ? undefined : stored.max_length;
  const forcedBos = stored.forced_bos_token_id ?? (stored.force_bos_token_to_be_generated ? (stored.bos_token_id ?? undefined) : undefined);
  const badTokens = (stored.bad_words_ids ?? []).flatMap((word) => (word.length === 1 ? word : []));
  const suppressed = [...(stored.suppress_tokens ?? []), ...badTokens];
  const options: Record<string, unknown> = {
    maxNewTokens: stored.max_new_tokens ?? (maxLength ? Math.max(1, maxLength - 1) : undefined),
    minNewTokens: stored.min_new_tokens ?? (stored.min_length ? stored.min_length - 1 : undefined),
    numBeams: stored.num_beams,
    lengthPenalty: stored.length_penalty,
    earlyStopping: stored.early_stopping,
    noRepeatNgramSize: stored.no_repeat_ngram_size,
    repetitionPenalty: stored.repetition_penalty,
    ...(stored.do_sample && { temperature: stored.temperature ?? 1, topK: stored.top_k ?? 50, topP: stored.top_p }),
    forcedTokens: forcedBos === undefined ? undefined : [forcedBos],
    forcedEosTokenId: stored.forced_eos_token_id,
    suppressTokens: suppressed.length === 0 ? undefined : suppressed,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== null));
}
