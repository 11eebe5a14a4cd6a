import type { SpannedToken } from "./text-tokens.ts";

interface Processor {
  readonly type?: string;
  readonly trim_offsets?: boolean;
  readonly add_prefix_space?: boolean;
  readonly processors?: readonly Processor[];
}

const SPACE = /^[Ġ\p{White_Space}]$/u;

/** Tokens without the spaces that belong to them, where tokenizer.json's post-processor asks for it (tokenizers' `byte_level.rs`, `process_offsets`). */
export function trimSpans<T extends SpannedToken>(tokens: readonly T[], postProcessor: unknown): readonly T[] {
  const { type, trim_offsets: trims, add_prefix_space: addsSpace = true, processors } = (postProcessor ?? {}) as Processor;
  if (type === "Sequence") return (processors ?? []).reduce((result, one) => trimSpans(result, one), tokens);
  if ((type !== "ByteLevel" && type !== "RobertaProcessing") || trims === false) return tokens;
  return tokens.map((token, i) => {
    const characters = [...(token.spaced ?? token.token)];
    const firstOther = characters.findIndex((character) => !SPACE.test(character));
    let leading = firstOther < 0 ? characters.length : firstOther;
    const trailing = firstOther < 0 ? characters.length : characters.length - 1 - characters.findLastIndex((character) => !SPACE.test(character));
    // The first space may be one that the tokenizer added.
    if (leading > 0 && (i === 0 || token.start === 0) && addsSpace) leading--;
    const start = Math.min(token.start + leading, token.end);
    const end = token.end >= trailing ? Math.max(token.end - trailing, start) : token.end;
    return { ...token, start, end };
  });
}
