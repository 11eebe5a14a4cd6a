import type { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { HeddleError } from "@heddle/kernels";
import { parseJson } from "../checkpoint/json.ts";
import { createLibraryTokenizer } from "./library.ts";
import { TextTokens, type SpannedToken } from "./spans/text-tokens.ts";
import { trimSpans } from "./spans/trim.ts";
import { findSpecialTokens, type SpecialTokenRole, type SpecialTokens } from "./special-tokens.ts";
import { padEncodings, type EncodedBatch, type PaddingOptions } from "./padding.ts";
import { cutRule, safeCut, type CutRule } from "./safe-cut.ts";
import { overflowing, truncated, TRUNCATION_STRATEGIES, type OverflowOptions, type Parts, type Room, type TruncationOptions } from "./truncation.ts";
import type { Side } from "./windows.ts";

export interface Encoding {
  readonly ids: readonly number[];
  /** 0 for the first text, 1 for the second where the model tells them apart. */
  readonly typeIds: readonly number[];
}

/** A token of a text: its id, how the vocabulary spells it, and where it stands, [start, end) in UTF-16 code units as `text.slice` takes them. */
export interface TextToken extends SpannedToken {
  readonly id: number;
}

/** An encoding of tokens whose places are known. */
export interface FramedTokens extends Encoding {
  /** What stands behind each id; undefined for special tokens of the frame. */
  readonly tokens: readonly (TextToken | undefined)[];
  /** 0 for tokens of the first text, 1 for those of the second, undefined for the frame's. */
  readonly sequences: readonly (0 | 1 | undefined)[];
}

export interface EncodeOptions extends TruncationOptions {
  /** A second text, e.g. the paragraph to a question. */
  readonly pair?: string;
  /** Default true. */
  readonly addSpecialTokens?: boolean;
}

export interface EncodeBatchOptions extends TruncationOptions, PaddingOptions {
  readonly addSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Default true. */
  readonly skipSpecialTokens?: boolean;
}

/** transformers writes 1e30 for "no limit". */
const NO_LIMIT = 1e9;

/** Stands before the number of a token while it is put into its frame; no vocabulary has it. */
const MARK = "\0token\0";

/** Text → ids → text, with the ids that Python's tokenizers gives for the same tokenizer.json. */
export class Tokenizer {
  /** Ids run from 0 to `vocabSize - 1`, added tokens included. */
  readonly vocabSize: number;
  /** Longest input that the model was made for, in tokens; undefined where tokenizer_config.json does not say. */
  readonly modelMaxLength: number | undefined;
  readonly specialTokens: SpecialTokens;
  /** By tokenizer_config.json's `padding_side`, else tokenizer.json's `padding`, else "right"; the next likewise. */
  readonly paddingSide: Side;
  readonly truncationSide: Side;
  /** tokenizer.json and tokenizer_config.json, to be written beside a model. */
  readonly tokenizerJson: Readonly<Record<string, unknown>>;
  readonly tokenizerConfig: Readonly<Record<string, unknown>>;
  readonly #library: LibraryTokenizer;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #unknownId: number | undefined;
  readonly #cutRule: CutRule;
  #textTokens: TextTokens | undefined;

  constructor(tokenizerJson: Readonly<Record<string, unknown>>, tokenizerConfig: Readonly<Record<string, unknown>> = {}) {
    this.tokenizerJson = tokenizerJson;
    this.tokenizerConfig = tokenizerConfig;
    this.#library = createLibraryTokenizer(tokenizerJson, tokenizerConfig);
    this.#ids = idsOf(this.#library);
    this.#unknownId = this.#library.model?.unk_token_id;
    this.vocabSize = [...this.#ids.values()].reduce((top, id) => Math.max(top, id), -1) + 1;
    const limit = tokenizerConfig["model_max_length"];
    this.modelMaxLength = typeof limit === "number" && limit < NO_LIMIT ? limit : undefined;
    this.specialTokens = findSpecialTokens(tokenizerConfig, (token) => this.#ids.has(token));
    this.paddingSide = sideOf(tokenizerConfig["padding_side"]) ?? sideOf(directionOf(tokenizerJson["padding"])) ?? "right";
    this.truncationSide = sideOf(tokenizerConfig["truncation_side"]) ?? sideOf(directionOf(tokenizerJson["truncation"])) ?? "right";
    this.#cutRule = cutRule(tokenizerJson);
  }

  /** Id of a special token by its role; undefined where the tokenizer has none. */
  specialTokenId(role: SpecialTokenRole): number | undefined {
    const token = this.specialTokens[role];
    return token === undefined ? undefined : this.#ids.get(token);
  }

  tokenToId(token: string): number | undefined {
    return this.#ids.get(token);
  }

  idToToken(id: number): string | undefined {
    return this.#library.id_to_token(id);
  }

  /** Lone surrogates count as U+FFFD; an empty text gives the special tokens alone. Throws INVALID_ARGUMENT for what cannot be cut as asked. */
  encode(text: string, options: EncodeOptions = {}): Encoding {
    const { addSpecialTokens = true } = options;
    const pair = options.pair === undefined ? undefined : wellFormed(options.pair);
    const room = this.#room(options, pair !== undefined, addSpecialTokens);
    const readsStart = room && pair === undefined && room.side === "right" && room.strategy !== "only_second";
    const first = readsStart ? this.#firstTokens(wellFormed(text), room.tokens) : this.#tokens(wellFormed(text));
    const second = pair === undefined ? null : this.#tokens(pair);
    if (!room) return this.#assemble(first, second, addSpecialTokens);
    return this.#assemble(...taken(first, second, truncated(first.length, second?.length, room)), addSpecialTokens);
  }

  /**
   * A long text, or a pair of which one is long, as several encodings: what `encode` gives, and then what was cut off, window by window
   * (transformers' `return_overflowing_tokens`).
   *
   * @throws INVALID_ARGUMENT
   */
  encodeOverflowing(text: string, options: EncodeOptions & OverflowOptions): Encoding[] {
    const { addSpecialTokens = true, stride = 0 } = options;
    const first = this.#tokens(wellFormed(text));
    const second = options.pair === undefined ? null : this.#tokens(wellFormed(options.pair));
    const room = this.#room(options, second !== null, addSpecialTokens);
    if (!room) return [this.#assemble(first, second, addSpecialTokens)];
    return overflowing(first.length, second?.length, room, stride).map((parts) => this.#assemble(...taken(first, second, parts), addSpecialTokens));
  }

  /** The tokens of a text with their places, without a frame; places are those of Python's tokenizers. */
  tokenize(text: string): readonly TextToken[] {
    this.#textTokens ??= new TextTokens(this.#library);
    const tokens = this.#textTokens.of(wellFormed(text)).flatMap((spanned) => {
      const id = this.#ids.get(spanned.token) ?? this.#unknownId;
      return id === undefined ? [] : [{ id, ...spanned }];
    });
    return trimSpans(tokens, this.tokenizerJson["post_processor"]);
  }

  /** Puts tokens of one text or of two, whole or in part, between the special tokens that belong there: `encode` for tokens with places. */
  frame(first: readonly TextToken[], second?: readonly TextToken[]): FramedTokens {
    const marks = (tokens: readonly TextToken[], sequence: 0 | 1) => tokens.map((_, i) => `${MARK}${sequence}${i}`);
    const framed = this.#frame(marks(first, 0), second ? marks(second, 1) : null, true);
    const sequences = framed.tokens.map((token) => (token.startsWith(MARK) ? (Number(token[MARK.length]) as 0 | 1) : undefined));
    const tokens = framed.tokens.map((token, i) => (sequences[i] === undefined ? undefined : [first, second!][sequences[i]]![Number(token.slice(MARK.length + 1))]));
    return { ids: tokens.map((token, i) => token?.id ?? this.#ids.get(framed.tokens[i]!)!), typeIds: framed.typeIds, tokens, sequences };
  }

  /** `encodeOverflowing` for tokens with places. */
  frameOverflowing(first: readonly TextToken[], second: readonly TextToken[] | undefined, options: OverflowOptions): FramedTokens[] {
    const room = this.#room(options, second !== undefined, true);
    if (!room) return [this.frame(first, second)];
    return overflowing(first.length, second?.length, room, options.stride ?? 0).map((parts) => {
      const [one, two] = taken(first, second ?? null, parts);
      return this.frame(one, two ?? undefined);
    });
  }

  /** Special tokens around one text, or two. */
  frameSize(isPair = false): number {
    return this.#frame([], isPair ? [] : null, true).tokens.length;
  }

  /** Pieces of the vocabulary as text, by the decoder that tokenizer.json names. */
  tokensToText(tokens: readonly string[]): string {
    return this.#library.decoder ? this.#library.decoder.decode([...tokens]) : tokens.join(" ");
  }

  /** Encodes texts (or pairs of texts) into padded rows. Throws INVALID_ARGUMENT. */
  encodeBatch(texts: readonly (string | readonly [text: string, pair: string])[], options: EncodeBatchOptions = {}): EncodedBatch {
    return this.padBatch(texts.map((text) => (typeof text === "string" ? this.encode(text, options) : this.encode(text[0], { ...options, pair: text[1] }))), options);
  }

  /** Rows of equal length from encodings that were made before, e.g. grouped by length. */
  padBatch(encodings: readonly Encoding[], options: PaddingOptions = {}): EncodedBatch {
    return padEncodings(encodings, { ...options, paddingSide: this.#side("paddingSide", options.paddingSide) }, this.specialTokenId("pad") ?? 0);
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    if (ids.length === 0) return "";
    // Python's tokenizers leaves the clean-up of spaces to the decoder that tokenizer.json names.
    return this.#library.decode(Array.from(ids), { skip_special_tokens: options.skipSpecialTokens ?? true, clean_up_tokenization_spaces: false });
  }

  #tokens(text: string): string[] {
    const tokens = this.#library.tokenize(text, { add_special_tokens: false });
    // No [UNK]: Python drops what the vocabulary cannot spell, before it counts.
    return this.#unknownId === undefined ? tokens.filter((token) => this.#ids.has(token)) : tokens;
  }

  /** The first `count` tokens, without reading a long text to its end where the text can be cut safely. */
  #firstTokens(text: string, count: number): string[] {
    for (let characters = Math.max(256, count * 8); ; characters *= 4) {
      const end = safeCut(text, characters, this.#cutRule);
      const tokens = this.#tokens(end === text.length ? text : text.slice(0, end));
      if (tokens.length >= count || end === text.length) return tokens.slice(0, count);
    }
  }

  #room(options: TruncationOptions, isPair: boolean, addSpecialTokens: boolean): Room | undefined {
    const { maxLength = this.modelMaxLength, truncation: strategy = options.maxLength === undefined ? "do_not_truncate" : "longest_first" } = options;
    const side = this.#side("truncationSide", options.truncationSide);
    if (!TRUNCATION_STRATEGIES.includes(strategy)) throw new HeddleError("INVALID_ARGUMENT", `[tokenizer] truncation is ${JSON.stringify(strategy)}: pass one of ${TRUNCATION_STRATEGIES.join(", ")}`);
    if (strategy === "do_not_truncate" || maxLength === undefined) return undefined;
    const special = addSpecialTokens ? this.frameSize(isPair) : 0;
    if (!Number.isInteger(maxLength) || maxLength < special) {
      throw new HeddleError("INVALID_ARGUMENT", `[tokenizer] maxLength is ${maxLength}, the special tokens alone are ${special}: choose a whole number of at least ${special + 1}`);
    }
    return { tokens: maxLength - special, strategy, side };
  }

  #side(name: "paddingSide" | "truncationSide", given: Side = this[name]): Side {
    if (sideOf(given) === undefined) throw new HeddleError("INVALID_ARGUMENT", `[tokenizer] ${name} is ${JSON.stringify(given)}: pass "left" or "right"`);
    return given;
  }

  #assemble(first: readonly string[], second: readonly string[] | null, addSpecialTokens: boolean): Encoding {
    const { tokens, typeIds } = this.#frame([...first], second && [...second], addSpecialTokens);
    const ids: number[] = [];
    const keptTypeIds: number[] = [];
    tokens.forEach((token, i) => {
      const id = this.#ids.get(token) ?? this.#unknownId;
      if (id === undefined) return; // a special token that the vocabulary does not have
      ids.push(id);
      keptTypeIds.push(typeIds[i]!);
    });
    return { ids, typeIds: keptTypeIds };
  }

  #frame(first: string[], second: string[] | null, addSpecialTokens: boolean): { readonly tokens: readonly string[]; readonly typeIds: readonly number[] } {
    const processor = this.#library.post_processor;
    const processed = processor?.post_process(first, second, addSpecialTokens) ?? { tokens: first, tokens_pair: second ?? undefined };
    // The library's byte-level post-processor hands a pair back in two pieces.
    const rest = processed.token_type_ids ? [] : (processed.tokens_pair ?? []);
    const tokens = [...processed.tokens, ...rest];
    const isRoberta = processor?.config.type === "RobertaProcessing"; // all zeros in Python
    const typeIds = isRoberta ? tokens.map(() => 0) : (processed.token_type_ids ?? tokens.map((_, i) => (i < processed.tokens.length ? 0 : 1)));
    return { tokens, typeIds };
  }
}

/**
 * A tokenizer from the texts (or objects) of tokenizer.json and, where there is one, tokenizer_config.json.
 * Errors: `TOKENIZER_INVALID`.
 */
export function loadTokenizer(tokenizerJson: string | object, tokenizerConfig: string | object = {}): Tokenizer {
  return new Tokenizer(parseObject("tokenizer.json", tokenizerJson), parseObject("tokenizer_config.json", tokenizerConfig));
}

function parseObject(file: string, source: string | object): Record<string, unknown> {
  let value: unknown = source;
  try {
    if (typeof source === "string") value = parseJson(source);
  } catch (cause) {
    throw new HeddleError("TOKENIZER_INVALID", `[${file}] is no valid JSON: download it again`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HeddleError("TOKENIZER_INVALID", `[${file}] must be a JSON object: download it again`);
  }
  return value as Record<string, unknown>;
}

/** Token → id, with added tokens also in the form in which the normalizer leaves them. */
function idsOf(library: LibraryTokenizer): ReadonlyMap<string, number> {
  const ids = new Map(library.get_vocab(true));
  for (const [id, { content, normalized }] of library.get_added_tokens_decoder()) {
    ids.set(content, id);
    if (normalized && library.normalizer) ids.set(library.normalizer.normalize(content), id);
  }
  return ids;
}

function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, "\ufffd");
}

const sideOf = (value: unknown): Side | undefined => (value === "left" || value === "right" ? value : undefined);

/** tokenizer.json writes "Left" and "Right". */
function directionOf(part: unknown): unknown {
  const { direction } = (part ?? {}) as { readonly direction?: unknown };
  return typeof direction === "string" ? direction.toLowerCase() : undefined;
}

function taken<T>(first: readonly T[], second: readonly T[] | null, parts: Parts): [first: readonly T[], second: readonly T[] | null] {
  return [first.slice(parts.first.begin, parts.first.end), second && second.slice(parts.second.begin, parts.second.end)];
}
