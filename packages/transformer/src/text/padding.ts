import { HeddleError } from "@heddle/kernels";
import type { Encoding } from "./tokenizer.ts";
import type { Side } from "./windows.ts";

export interface PaddingOptions {
  /** Length to pad to, at least; default the longest text of the batch. */
  readonly padTo?: number;
  /** The length becomes a multiple of this. */
  readonly padToMultipleOf?: number;
  /** Where the padding stands. Default what the tokenizer's files say, else "right". */
  readonly paddingSide?: Side;
}

/** Row-major [batch, length]; what a model takes. */
export interface EncodedBatch {
  readonly batch: number;
  readonly length: number;
  readonly inputIds: Int32Array<ArrayBuffer>;
  /** 1 for tokens, 0 for padding. */
  readonly attentionMask: Int32Array<ArrayBuffer>;
  readonly tokenTypeIds: Int32Array<ArrayBuffer>;
}

/** Rows of equal length. Throws INVALID_ARGUMENT. */
export function padEncodings(encodings: readonly Encoding[], { padTo = 0, padToMultipleOf = 1, paddingSide }: PaddingOptions & { readonly paddingSide: Side }, padId: number): EncodedBatch {
  if (!Number.isInteger(padToMultipleOf) || padToMultipleOf < 1) throw new HeddleError("INVALID_ARGUMENT", `[tokenizer] padToMultipleOf is ${padToMultipleOf}: pass a whole number of at least 1`);
  const batch = encodings.length;
  const longest = encodings.reduce((most, { ids }) => Math.max(most, ids.length), padTo);
  const length = Math.ceil(longest / padToMultipleOf) * padToMultipleOf;
  const inputIds = new Int32Array(batch * length).fill(padId);
  const attentionMask = new Int32Array(batch * length);
  const tokenTypeIds = new Int32Array(batch * length);
  encodings.forEach(({ ids, typeIds }, row) => {
    const begin = row * length + (paddingSide === "left" ? length - ids.length : 0);
    inputIds.set(ids, begin);
    attentionMask.fill(1, begin, begin + ids.length);
    tokenTypeIds.set(typeIds, begin);
  });
  return { batch, length, inputIds, attentionMask, tokenTypeIds };
}
