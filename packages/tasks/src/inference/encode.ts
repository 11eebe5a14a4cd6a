import { HeddleError } from "@heddle/kernels";
import type { EncodedRow } from "@heddle/training";
import type { Tokenizer } from "@heddle/transformer";

export interface EncodedTexts {
  readonly rows: readonly EncodedRow[];
  /** Places of the texts that had more tokens than `maxLength`. */
  readonly truncated: readonly number[];
}

export interface EncodeTextsOptions {
  /** In tokens, special tokens included. */
  readonly maxLength: number;
  readonly signal?: AbortSignal;
}

/** Texts between two looks at the signal. */
const STRETCH = 256;

/** Single texts as token ids. All of them are of type 0, so types are left out. Throws ABORTED. */
export async function encodeTexts(tokenizer: Tokenizer, texts: readonly string[], { maxLength, signal }: EncodeTextsOptions): Promise<EncodedTexts> {
  const rows: EncodedRow[] = [];
  const truncated: number[] = [];
  for (const text of texts) {
    if (rows.length % STRETCH === STRETCH - 1) await new Promise<void>((resolve) => setTimeout(resolve));
    throwIfAborted(signal, "encoding");
    // One token more than fits tells whether anything is lost.
    const { ids } = tokenizer.encode(text, { maxLength: maxLength + 1 });
    if (ids.length > maxLength) truncated.push(rows.length);
    rows.push({ inputIds: Int32Array.from(ids.length > maxLength ? tokenizer.encode(text, { maxLength }).ids : ids) });
  }
  return { rows, truncated };
}

/** Throws INVALID_ARGUMENT for a text that is none. */
export function checkTexts(texts: readonly unknown[]): void {
  const wrong = texts.findIndex((text) => typeof text !== "string");
  if (wrong >= 0) throw new HeddleError("INVALID_ARGUMENT", `[pipeline] text ${wrong} is ${texts[wrong] === null ? "null" : typeof texts[wrong]}: pass a string or an array of strings`);
}

export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new HeddleError("ABORTED", `[${what}] was stopped before it was done`, { cause: signal.reason });
}
