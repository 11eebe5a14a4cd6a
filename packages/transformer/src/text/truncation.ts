import { HeddleError } from "@heddle/kernels";
import { windowsOf, type Side, type Window } from "./windows.ts";

/**
 * Which of two texts is cut where both together are too long, by transformers' names: the longer one first and then both alike, the first
 * alone, the second alone, or none.
 */
export const TRUNCATION_STRATEGIES = ["longest_first", "only_first", "only_second", "do_not_truncate"] as const;
export type TruncationStrategy = (typeof TRUNCATION_STRATEGIES)[number];

export interface TruncationOptions {
  /** Longest result in tokens, special tokens included; longer inputs are cut. Default: what the model takes where `truncation` is given, else not cut. */
  readonly maxLength?: number;
  /** Default "longest_first" where there is a `maxLength`. */
  readonly truncation?: TruncationStrategy;
  /** The end that is cut. Default what the tokenizer's files say, else "right". */
  readonly truncationSide?: Side;
}

export interface OverflowOptions extends TruncationOptions {
  /** Tokens that a window shares with the one before. Default 0. */
  readonly stride?: number;
}

/** How many tokens two texts may have together, and who gives way. */
export interface Room {
  readonly tokens: number;
  readonly strategy: Exclude<TruncationStrategy, "do_not_truncate">;
  readonly side: Side;
}

/** Parts of two texts that are read together; without a second text `second` is empty. */
export interface Parts {
  readonly first: Window;
  readonly second: Window;
}

/**
 * What stays of one text or two (tokenizers' `truncate_encodings`).
 *
 * @param second tokens of the second text; undefined where there is none
 * @throws INVALID_ARGUMENT where the text to be cut is too short for that, or not there
 */
export function truncated(first: number, second: number | undefined, room: Room): Parts {
  const [keepFirst, keepSecond] = keptLengths(first, second, room);
  return { first: kept(first, keepFirst, room.side), second: kept(second ?? 0, keepSecond, room.side) };
}

/**
 * All parts: what stays, and then what overflows, each window of the first text with each of the second, in the order of tokenizers'
 * `Encoding::merge_with`.
 *
 * @throws INVALID_ARGUMENT, also where windows would share all that they have
 */
export function overflowing(first: number, second: number | undefined, room: Room, stride: number): Parts[] {
  const [keepFirst, keepSecond] = keptLengths(first, second, room);
  const windows = (length: number, keep: number): Window[] => {
    if (keep === length) return [{ begin: 0, end: length }];
    if (keep === 0) throw new HeddleError("INVALID_ARGUMENT", `[tokenizer] beside the special tokens there is room for ${room.tokens}, so that windows would have none of a text that is cut: pass a larger maxLength`);
    if (!Number.isInteger(stride) || stride < 0 || stride >= keep) {
      throw new HeddleError("INVALID_ARGUMENT", `[tokenizer] stride is ${stride}, a window has ${keep} tokens of the text that is cut: pass a whole number from 0 to ${keep - 1}, or a larger maxLength`);
    }
    return windowsOf(length, keep, stride, room.side);
  };
  const firsts = windows(first, keepFirst);
  const seconds = windows(second ?? 0, keepSecond);
  const [kept, ...others] = firsts.map((one) => seconds.map((two): Parts => ({ first: one, second: two })));
  const [whole, ...rest] = kept!;
  return [whole!, ...others.flat(), ...rest];
}

const kept = (length: number, keep: number, side: Side): Window => (side === "right" ? { begin: 0, end: keep } : { begin: length - keep, end: length });

function keptLengths(first: number, second: number | undefined, { tokens, strategy }: Room): [first: number, second: number] {
  const excess = first + (second ?? 0) - tokens;
  if (excess <= 0) return [first, second ?? 0];
  if (tokens === 0) return [0, 0];
  if (strategy === "longest_first") return longestFirst(first, second ?? 0, tokens);
  const [which, target] = strategy === "only_first" ? ["first", first] : ["second", second];
  if (target === undefined) throw new HeddleError("INVALID_ARGUMENT", `[tokenizer] truncation is "only_second", there is no second text: pass one as pair, or truncate "longest_first"`);
  if (target <= excess) {
    throw new HeddleError("INVALID_ARGUMENT", `[tokenizer] truncation is "${strategy}", ${excess} tokens are too many and the ${which} text has ${target}: pass a larger maxLength, or truncate "longest_first"`);
  }
  return strategy === "only_first" ? [first - excess, second ?? 0] : [first, target - excess];
}

/** The longer one is cut first, then both alike (tokenizers' `LongestFirst`). */
function longestFirst(first: number, second: number, maxLength: number): [first: number, second: number] {
  let shorter = Math.min(first, second);
  let longer = shorter > maxLength ? shorter : Math.max(shorter, maxLength - shorter);
  if (shorter + longer > maxLength) {
    shorter = Math.floor(maxLength / 2);
    longer = shorter + (maxLength % 2);
  }
  return first > second ? [longer, shorter] : [shorter, longer];
}
