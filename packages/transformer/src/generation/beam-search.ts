import { logSoftmax, topK, type HostTensor, type Tensor } from "@heddle/kernels";
import { textConfigOf } from "../config/index.ts";
import type { Model } from "../models/model.ts";
import { throwIfAborted } from "./abort.ts";
import { checkPrompts, endingTokens, openSession, tokenLimit, withForcedEnd, type GenerationContext } from "./generate.ts";
import { resolveOptions, type BeamOptions, type GenerationOptions } from "./options.ts";
import { penalized } from "./pick.ts";
import { Rules } from "./rules.ts";
import type { Pick } from "./session.ts";

/** A text with the sum of its tokens' log-probabilities, or that divided by its length to a power once it has ended. */
interface Beam {
  readonly newTokens: readonly number[];
  readonly score: number;
  /** The row of the caches that holds all but its last token. */
  readonly row: number;
}

/** One prompt's search. */
interface Search {
  readonly prompt: readonly number[];
  open: readonly Beam[];
  ended: readonly Beam[];
  canImprove: boolean;
  done: boolean;
}

const NONE = -1e9;

/**
 * The likeliest continuation that a beam search finds for each prompt (transformers' `_beam_search`, without sampling): the
 * `numBeams` best open texts go on together, and of those that ended the best is given.
 *
 * @param context a session, or what a sequence-to-sequence model has read, with `numBeams` rows a prompt
 * @returns the new tokens of each prompt's best text
 * @throws INVALID_ARGUMENT, LIMIT_EXCEEDED, ABORTED
 */
export async function beamSearch(model: Model, prompts: readonly (readonly number[])[], options: BeamOptions, { session, source }: GenerationContext = {}): Promise<number[][]> {
  const { numBeams, lengthPenalty = 1, earlyStopping = false, signal, ...others } = options;
  const resolved = resolveOptions(others);
  if (prompts.length === 0) return [];
  checkPrompts(model, prompts);
  const eosTokenIds = resolved.eosTokenIds ?? endingTokens(model);
  const { vocabSize } = textConfigOf(model.config);
  const limit = tokenLimit(model, prompts, resolved.maxNewTokens);
  const rows = prompts.flatMap((prompt) => new Array<readonly number[]>(numBeams).fill(prompt));
  const own = session ? null : openSession(model, rows, limit, source);
  const decoding = session ?? own!;
  const rules = new Rules(withForcedEnd(resolved, model), vocabSize, eosTokenIds, limit);
  const candidates = Math.max(2, 1 + eosTokenIds.length) * numBeams;
  const pick = bestTokens(Math.min(candidates, vocabSize));
  // Only the first of a prompt's equal beams counts at first.
  const searches: Search[] = prompts.map((prompt, p) => ({
    prompt,
    open: Array.from({ length: numBeams }, (_, i) => ({ newTokens: [], score: i === 0 ? 0 : NONE, row: p * numBeams + i })),
    ended: [],
    canImprove: true,
    done: false,
  }));
  try {
    let next = rows.map((text, row) => decoding.goOnWith(row, text));
    for (let length = 0; ; length++) {
      throwIfAborted(signal);
      const texts = searches.flatMap(({ prompt, open }) => open.map(({ newTokens }) => ({ prompt, newTokens })));
      const { values, indices } = await decoding.feed(next, pick, await rules.inputs(texts), signal);
      const isLast = length + 1 >= limit;
      for (const search of searches) {
        const continued = continuationsOf(search, values!, indices!, candidates, rules);
        const ends = continued.map(({ newTokens }) => isLast || eosTokenIds.includes(newTokens.at(-1)!));
        const open = continued.filter((_, i) => !ends[i]).slice(0, numBeams);
        const full = search.ended.length >= numBeams && earlyStopping === true;
        const newlyEnded = full || !search.canImprove ? [] : continued.slice(0, numBeams).filter((_, i) => ends[i]).map((beam) => ({ ...beam, score: beam.score / (length + 1) ** lengthPenalty }));
        search.ended = [...search.ended, ...newlyEnded].sort((a, b) => b.score - a.score).slice(0, numBeams);
        // Where too few are left, texts that ended fill the rows and count for nothing.
        search.open = [...open, ...continued.filter((_, i) => ends[i]).map((beam) => ({ ...beam, score: NONE }))].slice(0, numBeams);
        search.canImprove &&= !cannotImprove(search, length + 1, limit, { numBeams, lengthPenalty, earlyStopping });
        search.done = open.length === 0 || !search.canImprove || (search.ended.length >= numBeams && earlyStopping === true);
      }
      if (isLast || searches.every(({ done }) => done)) break;
      const beams = searches.flatMap(({ open }) => open);
      await decoding.reorder(beams.map(({ row }) => row));
      searches.forEach((search, p) => (search.open = search.open.map((beam, i) => ({ ...beam, row: p * numBeams + i }))));
      next = beams.map(({ newTokens }) => [newTokens.at(-1)!]);
    }
    return searches.map(({ ended, open }) => [...(ended[0] ?? open[0]!).newTokens]);
  } finally {
    own?.dispose();
  }
}

/** The best next tokens of each row with their log-probabilities: more are never among the best of all rows. */
function bestTokens(count: number): Pick {
  const choose = (logits: Tensor, inputs: Readonly<Record<string, Tensor>>) => {
    const { values, indices } = topK(penalized(logSoftmax(logits), inputs), count);
    return { values, indices };
  };
  return { name: `best ${count}`, choose };
}

/** The best continuations of a prompt's open beams, the best first; of equals the one of the first beam and the lower token. A forced token is certain. */
function continuationsOf({ prompt, open }: Search, { data: values }: HostTensor, { data: tokens, shape }: HostTensor, count: number, rules: Rules): Beam[] {
  const each = shape.at(-1)!;
  const all = open.flatMap(({ newTokens, score, row }) => {
    const forced = rules.forced({ prompt, newTokens });
    if (forced !== undefined) return [{ newTokens: [...newTokens, forced], score, row }];
    return Array.from({ length: each }, (_, i) => ({ newTokens: [...newTokens, tokens[row * each + i]!], score: Math.fround(score + values[row * each + i]!), row }));
  });
  return all.sort((a, b) => b.score - a.score || a.row - b.row || a.newTokens.at(-1)! - b.newTokens.at(-1)!).slice(0, count);
}

type EndingOptions = Required<Omit<BeamOptions, keyof GenerationOptions>>;

/** Whether no open beam is likely to end better than the worst that ended. */
function cannotImprove({ open, ended }: Search, length: number, limit: number, { numBeams, lengthPenalty, earlyStopping }: EndingOptions): boolean {
  if (ended.length < numBeams) return false;
  const best = open[0]!.score / (earlyStopping === "never" && lengthPenalty > 0 ? limit : length) ** lengthPenalty;
  return best <= ended.at(-1)!.score;
}
