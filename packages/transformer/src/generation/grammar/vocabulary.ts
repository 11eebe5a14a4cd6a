import { byteCharacters } from "../../text/train/byte-level-bpe.ts";
import type { Tokenizer } from "../../text/index.ts";

/** A tokenizer's tokens as the grammar engine reads them. */
export interface GrammarVocabulary {
  /** By id; "" for one that is no text. */
  readonly tokens: readonly string[];
  /** How their bytes are written: "byte_level", as GPT-2 does, one character a byte; "byte_fallback", as SentencePiece does, ▁ for a space and <0x0A> for a byte; "raw". */
  readonly spelling: "byte_level" | "byte_fallback" | "raw";
}

type Part = { readonly type?: string; readonly decoders?: readonly Part[]; readonly pattern?: { readonly String?: string } } | null | undefined;

const hasPart = (part: Part, is: (one: NonNullable<Part>) => boolean): boolean => !!part && (is(part) || (Array.isArray(part.decoders) && part.decoders.some((one: Part) => hasPart(one, is))));

/** The first `size` tokens. Special tokens are no text: a grammar never takes them. */
export function grammarVocabulary(tokenizer: Tokenizer, size: number): GrammarVocabulary {
  const decoder = tokenizer.tokenizerJson["decoder"] as Part;
  const isByteLevel = hasPart(decoder, ({ type }) => type === "ByteLevel");
  const isFallback = hasPart(decoder, ({ type, pattern }) => type === "ByteFallback" || type === "Metaspace" || (type === "Replace" && pattern?.String === "▁"));
  const spelling = isByteLevel ? "byte_level" : isFallback ? "byte_fallback" : "raw";
  const tokens = Array.from({ length: size }, (_, id) => tokenizer.idToToken(id) ?? "");
  const characters = byteCharacters();
  const special = new Set<string>(Object.values(tokenizer.specialTokens));
  const added = (tokenizer.tokenizerJson["added_tokens"] ?? []) as readonly { readonly id: number; readonly content: string; readonly special?: boolean }[];
  for (const { id, content, special: isSpecial } of added) {
    if (id >= size) continue;
    if (isSpecial || special.has(content)) tokens[id] = "";
    // Added tokens are written as they are, and not byte by byte.
    else if (isByteLevel) tokens[id] = Array.from(new TextEncoder().encode(content), (byte) => characters[byte]!).join("");
  }
  // No control character stands in JSON on one line, though the engine takes some into strings of bounded length (XGrammar 0.1.27).
  const controls = isByteLevel ? characters.slice(0, 0x20) : Array.from({ length: 0x20 }, (_, byte) => String.fromCharCode(byte));
  const hasControl = (token: string) => controls.some((control) => token.includes(control)) || (isFallback && /^<0x[01][0-9A-Fa-f]>$/.test(token));
  return { tokens: tokens.map((token) => (hasControl(token) ? "" : token)), spelling };
}
