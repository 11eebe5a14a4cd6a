import type { WarningEvent } from "../text-classification/types.ts";

/**
 * How tokens become entities. "none": each token by itself. "simple": neighbours of one tag together. "first", "average", "max": each
 * word has one tag, that of its first token, of the mean of its tokens' scores, or of its surest token; then neighbours together.
 */
export type AggregationStrategy = "none" | "simple" | "first" | "average" | "max";

export interface TokenClassificationOptions {
  /** Default "none". */
  readonly aggregationStrategy?: AggregationStrategy;
  /** Labels, or groups, that are left out. Default `["O"]`. */
  readonly ignoreLabels?: readonly string[];
  /** Texts longer than the model takes are read in windows that share so many tokens, instead of being cut. Not with "none". */
  readonly stride?: number;
  /** Most windows that go through the model at once. Default 32. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onWarning?: (warning: WarningEvent) => void;
}

/** A stretch of a text, [start, end) in UTF-16 code units: `text.slice(start, end)`. */
interface Stretch {
  readonly score: number;
  /** As the tokenizer's decoder writes it: without its accents, for example. */
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** A token with its label. */
export interface TokenEntity extends Stretch {
  readonly entity: string;
  /** The place of the token in the model's input, special tokens included. */
  readonly index: number;
}

/** Neighbouring tokens with one tag; `B-` and `I-` are not part of `entityGroup`. */
export interface EntityGroup extends Stretch {
  readonly entityGroup: string;
}
