import {
  BPE,
  ByteLevelPreTokenizer,
  MetaspacePreTokenizer,
  PrependNormalizer,
  ReplaceNormalizer,
  ReplacePreTokenizer,
  SequenceNormalizer,
  SequencePreTokenizer,
  StripNormalizer,
  WordPiece,
  type AddedToken,
  type Normalizer,
  type PreTokenizer,
  type Tokenizer as LibraryTokenizer,
} from "@huggingface/tokenizers";
import { AlignedText } from "./aligned-text.ts";

/** A token as the vocabulary spells it, and where it stands in its text: UTF-16 code units, the end exclusive, as `text.slice` takes them. */
export interface SpannedToken {
  readonly token: string;
  readonly start: number;
  readonly end: number;
  /** The number of its word in the text: what the pre-tokenizer keeps together. */
  readonly word: number;
  /** What stands there of an added token that takes the white space beside it. */
  readonly spaced?: string;
}

type AddedSpan = Omit<SpannedToken, "word">;

/**
 * The tokens that the library gives for a text, with their places in it: its steps once more, each with what its results stand for.
 * Places are those of Python's tokenizers before its post-processor trims them.
 */
export class TextTokens {
  readonly #added: ReadonlyMap<string, AddedToken>;
  readonly #plain: RegExp | undefined;
  readonly #normalized: RegExp | undefined;

  constructor(private readonly library: LibraryTokenizer) {
    const { normalizer } = library;
    const added = new Map<string, AddedToken>();
    const [plain, normalized]: [string[], string[]] = [[], []];
    for (const token of library.get_added_tokens_decoder().values()) {
      added.set(token.content, token);
      if (!token.normalized || !normalizer) plain.push(token.content);
      else {
        const content = normalizer.normalize(token.content);
        added.set(content, token);
        normalized.push(content);
      }
    }
    this.#added = added;
    this.#plain = anyOf(plain);
    this.#normalized = anyOf(normalized);
  }

  of(text: string): SpannedToken[] {
    const { normalizer, pre_tokenizer: preTokenizer } = this.library;
    let word = 0;
    return this.#sections(AlignedText.of(text), this.#plain).flatMap((section, index) => {
      if (section.added) return [{ ...section.added, word: word++ }];
      const normal = normalizer ? normalize(normalizer, section.text) : section.text;
      return this.#sections(normal, this.#normalized).flatMap((part) => {
        if (part.added) return [{ ...part.added, word: word++ }];
        if (part.text.text === "") return [];
        const tokens = this.#tokensOf(preTokenizer ? words(preTokenizer, part.text, index) : [part.text], word);
        word = (tokens.at(-1)?.word ?? word - 1) + 1;
        return tokens;
      });
    });
  }

  /** A text cut at the added tokens in it, which may take the white space beside them with them. */
  #sections(text: AlignedText, pattern: RegExp | undefined): { readonly text: AlignedText; readonly added?: AddedSpan }[] {
    if (!pattern) return [{ text }];
    const sections: { text: AlignedText; added?: AddedSpan }[] = [];
    const matches = [...text.text.matchAll(pattern)];
    let begin = 0;
    const plain = (end: number) => {
      if (end > begin) sections.push({ text: text.slice(begin, end) });
    };
    matches.forEach(({ 0: content, index }, i) => {
      const token = this.#added.get(content)!;
      let [start, end] = [Math.max(begin, index), index + content.length];
      if (token.lstrip) start = begin + text.text.slice(begin, start).trimEnd().length;
      plain(start);
      if (token.rstrip) {
        const next = matches[i + 1]?.index ?? text.text.length;
        end = next - text.text.slice(end, next).trimStart().length;
      }
      const [from, to] = text.span(start, end);
      sections.push({ text: text.slice(start, end), added: { token: content, start: from, end: to, ...(end - start > content.length && { spaced: text.text.slice(start, end) }) } });
      begin = end;
    });
    plain(text.text.length);
    return sections;
  }

  /** @param firstWord the number of the first piece */
  #tokensOf(pieces: readonly AlignedText[], firstWord: number): SpannedToken[] {
    const model = this.library.model!;
    const isUnknown = (one: string) => (model.tokens_to_ids.get(one) ?? model.unk_token_id) === model.unk_token_id;
    const tokens: SpannedToken[] = [];
    let word = firstWord;
    for (const piece of pieces) {
      for (const { begin, token, start, end } of tokensOfWord(model, piece)) {
        const last = tokens.at(-1);
        // SentencePiece's words begin with its sign for a space, though all are one piece here.
        if (begin > 0 && piece.text[begin] === SPACE_SIGN) word++;
        if (model.fuse_unk && last && isUnknown(last.token) && isUnknown(token)) {
          // Spelled by the vocabulary's word for it, or as the text has it.
          tokens[tokens.length - 1] = { ...last, token: model.tokens_to_ids.has(token) ? token : last.token + token, end };
        } else tokens.push({ token, start, end, word });
      }
      word++;
    }
    return tokens;
  }
}

const SPACE_SIGN = "▁";

/** Finds the longest of some texts at each place; undefined where there are none. */
function anyOf(contents: readonly string[]): RegExp | undefined {
  const wanted = contents.filter((content) => content !== "").sort((a, b) => b.length - a.length);
  return wanted.length === 0 ? undefined : new RegExp(wanted.map((content) => content.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|"), "g");
}

function normalize(normalizer: Normalizer, text: AlignedText): AlignedText {
  if (normalizer instanceof SequenceNormalizer) return normalizer.normalizers.reduce((result, one) => (one ? normalize(one, result) : result), text);
  if (normalizer instanceof PrependNormalizer) return text.prepend(normalizer.config.prepend);
  if (normalizer instanceof ReplaceNormalizer) return normalizer.pattern === null ? text : text.replace(normalizer.pattern, normalizer.config.content ?? "");
  if (normalizer instanceof StripNormalizer) {
    const kept = normalizer.normalize(text.text);
    const begin = normalizer.config.strip_left ? text.text.length - text.text.trimStart().length : 0;
    return kept === "" ? text.slice(0, 0) : text.slice(begin, begin + kept.length);
  }
  return text.map((part) => normalizer.normalize(part));
}

/** @param section the number of the section, by which some decide on a space before it */
function words(preTokenizer: PreTokenizer, text: AlignedText, section: number): AlignedText[] {
  if (preTokenizer instanceof SequencePreTokenizer) return preTokenizer.tokenizers.reduce<AlignedText[]>((parts, one) => (one ? parts.flatMap((part) => words(one, part, section)) : parts), [text]);
  const found = preTokenizer.pre_tokenize_text(text.text, { section_index: section });
  if (preTokenizer instanceof ByteLevelPreTokenizer) {
    const spaced = preTokenizer.add_prefix_space && !text.text.startsWith(" ") ? text.prepend(" ") : text;
    return inOrder(found, spaced.respelled(found.join(""), utf8Length));
  }
  if (preTokenizer instanceof MetaspacePreTokenizer) {
    const replaced = text.replace(" ", preTokenizer.str_rep);
    return [found[0] === replaced.text ? replaced : replaced.prepend(preTokenizer.str_rep)];
  }
  if (preTokenizer instanceof ReplacePreTokenizer) return preTokenizer.pattern === null ? [text] : [text.replace(preTokenizer.pattern, preTokenizer.config.content ?? "")];
  return inOrder(found, text);
}

/** Where parts of a text stand that follow each other in it, perhaps with something between. */
function inOrder(parts: readonly string[], text: AlignedText): AlignedText[] {
  let begin = 0;
  return parts.map((part) => {
    const at = text.text.indexOf(part, begin);
    begin = at + part.length;
    return text.slice(at, begin);
  });
}

function utf8Length(character: string): number {
  const code = character.codePointAt(0)!;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** A token of a word with its place in the word, and in the text. */
interface PlacedToken extends AddedSpan {
  readonly begin: number;
}

function tokensOfWord(model: NonNullable<LibraryTokenizer["model"]>, word: AlignedText): PlacedToken[] {
  const { text } = word;
  const tokens = model.encode([text]);
  const prefix = model instanceof WordPiece ? (model.config.continuing_subword_prefix ?? "##") : "";
  const suffix = model.end_of_word_suffix ?? "";
  const spanned: PlacedToken[] = [];
  let begin = 0;
  /** Bytes of the character at `begin` that have had their tokens. */
  let bytes = 0;
  tokens.forEach((token: string | undefined, i) => {
    const character = String.fromCodePoint(text.codePointAt(begin) ?? 0);
    let surface = token ?? character;
    if (begin > 0 && prefix !== "" && surface.startsWith(prefix)) surface = surface.slice(prefix.length);
    if (suffix !== "" && i === tokens.length - 1 && surface.endsWith(suffix)) surface = surface.slice(0, -suffix.length);
    let end = begin + surface.length;
    if (!text.startsWith(surface, begin) || surface === "") {
      if (model instanceof BPE && model.byte_fallback && /^<0x[0-9A-F]{2}>$/.test(surface)) {
        const [start, stop] = word.span(begin, begin + character.length);
        spanned.push({ begin, token: token!, start, end: stop });
        if (++bytes === utf8Length(character)) [begin, bytes] = [begin + character.length, 0];
        return;
      }
      // Unknown: the whole word where words are known or not, else a character.
      end = model instanceof WordPiece ? text.length : begin + character.length;
    }
    end = Math.min(end, text.length);
    if (end <= begin) return;
    const [start, stop] = word.span(begin, end);
    if (token !== undefined && token !== null) spanned.push({ begin, token, start, end: stop });
    begin = end;
  });
  return spanned;
}
