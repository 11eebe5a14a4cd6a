import type { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { HeddleError } from "@heddle/kernels";
import { parseJson } from "../checkpoint/json.ts";
import { createLibraryTokenizer } from "./library.ts";
import { TextTokens, type SpannedToken } from "./spans/text-tokens.ts";
import { trimSpans } from "./spans/trim.ts";
import { findSpecialTokens, type SpecialTokenRole, type SpecialTokens } from "./special-tokens.ts";
import { safeCut, truncatedLengths, type CutRule } from "./truncation.ts";

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

export interface EncodeOptions {
  /** A second text, e.g. the paragraph to a question. */
  readonly pair?: string;
  /** Longest result in tokens, special tokens included; longer inputs are cut at the end. Default: not cut. */
  readonly maxLength?: number;
  /** Default true. */
  readonly addSpecialTokens?: boolean;
}

export interface EncodeBatchOptions {
  readonly maxLength?: number;
  /** Length to pad to, at least; default the longest text of the batch. */
  readonly padTo?: number;
  readonly addSpecialTokens?: boolean;
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

  /** Lone surrogates count as U+FFFD; an empty text gives the special tokens alone. */
  encode(text: string, options: EncodeOptions = {}): Encoding {
    const { maxLength, addSpecialTokens = true } = options;
    const pair = options.pair === undefined ? undefined : wellFormed(options.pair);
    const room = maxLength === undefined ? undefined : this.#roomFor(maxLength, pair !== undefined, addSpecialTokens);
    let first = room === undefined || pair !== undefined ? this.#tokens(wellFormed(text)) : this.#firstTokens(wellFormed(text), room);
    let second = pair === undefined ? null : this.#tokens(pair);
    if (room !== undefined && second) {
      const [keepFirst, keepSecond] = truncatedLengths(first.length, second.length, room);
      first = first.slice(0, keepFirst);
      second = second.slice(0, keepSecond);
    }
    return this.#assemble(first, second, addSpecialTokens);
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

  /** Special tokens around one text, or two. */
  frameSize(isPair = false): number {
    return this.#frame([], isPair ? [] : null, true).tokens.length;
  }

  /** Pieces of the vocabulary as text, by the decoder that tokenizer.json names. */
  tokensToText(tokens: readonly string[]): string {
    return this.#library.decoder ? this.#library.decoder.decode([...tokens]) : tokens.join(" ");
  }

  /** Encodes texts (or pairs of texts) into padded rows. */
  encodeBatch(texts: readonly (string | readonly [text: string, pair: string])[], options: EncodeBatchOptions = {}): EncodedBatch {
    const encodings = texts.map((text) => (typeof text === "string" ? this.encode(text, options) : this.encode(text[0], { ...options, pair: text[1] })));
    return this.padBatch(encodings, options.padTo);
  }

  /** Rows of equal length from encodings that were made before, e.g. grouped by length. */
  padBatch(encodings: readonly Encoding[], padTo = 0): EncodedBatch {
    const batch = encodings.length;
    const length = encodings.reduce((longest, { ids }) => Math.max(longest, ids.length), padTo);
    const inputIds = new Int32Array(batch * length).fill(this.specialTokenId("pad") ?? 0);
    const attentionMask = new Int32Array(batch * length);
    const tokenTypeIds = new Int32Array(batch * length);
    encodings.forEach(({ ids, typeIds }, row) => {
      inputIds.set(ids, row * length);
      attentionMask.fill(1, row * length, row * length + ids.length);
      tokenTypeIds.set(typeIds, row * length);
    });
    return { batch, length, inputIds, attentionMask, tokenTypeIds };
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    if (ids.length === 0) return "";
    // Python's tokenizers leaves the clean-up of spaces to the decoder that tokenizer.json names.
    return this.#library.decode(Array.from(ids), { skip_special_tokens: options.skipSpecialTokens ?? true, clean_up_tokenization_spaces: false });
  }

  #tokens(text: string): string[] {
    return this.#library.tokenize(text, { add_special_tokens: false });
  }

  /** The first `count` tokens, without reading a long text to its end where the text can be cut safely. */
  #firstTokens(text: string, count: number): string[] {
    for (let characters = Math.max(256, count * 8); ; characters *= 4) {
      const end = safeCut(text, characters, this.#cutRule);
      const tokens = this.#tokens(end === text.length ? text : text.slice(0, end));
      if (tokens.length >= count || end === text.length) return tokens.slice(0, count);
    }
  }

  #roomFor(maxLength: number, isPair: boolean, addSpecialTokens: boolean): number {
    const special = addSpecialTokens ? this.frameSize(isPair) : 0;
    if (!Number.isInteger(maxLength) || maxLength < special) {
      throw new HeddleError("INVALID_ARGUMENT", `[tokenizer] maxLength is ${maxLength}, the special tokens alone are ${special}: choose a whole number of at least ${special + 1}`);
    }
    return maxLength - special;
  }

  #assemble(first: string[], second: string[] | null, addSpecialTokens: boolean): Encoding {
    const { tokens, typeIds } = this.#frame(first, second, addSpecialTokens);
    const ids: number[] = [];
    const keptTypeIds: number[] = [];
    tokens.forEach((token, i) => {
      const id = this.#ids.get(token) ?? this.#unknownId;
      if (id === undefined) return; // no [UNK]: Python drops what the vocabulary cannot spell
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

function cutRule(tokenizerJson: Readonly<Record<string, unknown>>): CutRule {
  type Part = { type?: string; use_regex?: boolean; add_prefix_space?: boolean } | null | undefined;
  const normalizer = tokenizerJson["normalizer"] as Part;
  const preTokenizer = tokenizerJson["pre_tokenizer"] as Part;
  const added = (tokenizerJson["added_tokens"] ?? []) as { content: string; lstrip?: boolean; rstrip?: boolean }[];
  // Such a token reaches beyond the place where the text would be cut.
  if (added.some(({ content, lstrip, rstrip }) => lstrip || rstrip || /\s/.test(content))) return "never";
  if (preTokenizer?.type === "BertPreTokenizer" && normalizer?.type === "BertNormalizer") return "words";
  const isPlainByteLevel = preTokenizer?.type === "ByteLevel" && preTokenizer.use_regex !== false && !normalizer;
  return isPlainByteLevel ? "byte-level-words" : "never";
}
