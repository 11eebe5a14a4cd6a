import type { Tokenizer } from "./tokenizer.ts";

/** What a decoder writes for bytes that are no whole character yet. */
const INCOMPLETE = "\ufffd";

/** Tokens of context that a decoder gets, so that spaces between words come out as in the whole text. */
const CONTEXT = 6;

/**
 * Tokens into text as they come. A character whose bytes are spread over several tokens is given out whole, with the last of them.
 */
export class StreamDecoder {
  private readonly tokens: number[] = [];
  /** Tokens before this one are only context; those before `given` were given out. */
  private context = 0;
  private given = 0;

  /** @param before tokens that stand before the text, for the space between */
  constructor(
    private readonly tokenizer: Tokenizer,
    before: readonly number[] = [],
  ) {
    this.tokens.push(...before.slice(-CONTEXT));
    this.given = this.tokens.length;
  }

  /** The text that this token completes; "" while a character is not whole. */
  push(token: number): string {
    this.tokens.push(token);
    const text = this.pending();
    if (text.endsWith(INCOMPLETE)) return "";
    this.context = Math.max(0, this.given - CONTEXT);
    this.given = this.tokens.length;
    return text;
  }

  /** What is left at the end: bytes that never became a character, as the tokenizer shows them. */
  flush(): string {
    const text = this.pending();
    this.given = this.tokens.length;
    return text;
  }

  private pending(): string {
    const decode = (begin: number, end: number) => this.tokenizer.decode(this.tokens.slice(begin, end));
    return decode(this.context, this.tokens.length).slice(decode(this.context, this.given).length);
  }
}
