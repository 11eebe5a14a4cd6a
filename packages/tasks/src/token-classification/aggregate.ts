import type { Tokenizer, TextToken } from "@heddle/transformer";
import type { AggregationStrategy, EntityGroup, TokenEntity } from "./types.ts";

// The rules of transformers' `TokenClassificationPipeline`, so that its answers are these.

/** A token with the probabilities of its labels. */
export interface ScoredToken {
  readonly token: TextToken;
  /** Its place in the model's input. */
  readonly index: number;
  /** One for each label. */
  readonly scores: Float32Array;
}

export interface AggregationContext {
  readonly text: string;
  readonly tokenizer: Tokenizer;
  readonly labels: readonly string[];
}

/** What is made into groups: a token or a word. */
interface Labelled {
  readonly entity: string;
  readonly score: number;
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

const lengthOf = (text: string): number => [...text].length;

function best(scores: ArrayLike<number>): number {
  let place = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[place]!) place = i;
  return place;
}

/** Every token with its likeliest label. */
export function labelTokens(tokens: readonly ScoredToken[], { text, tokenizer, labels }: AggregationContext): TokenEntity[] {
  return tokens.map(({ token, index, scores }) => {
    const id = best(scores);
    return { entity: labels[id]!, score: scores[id]!, index, word: spelling(token, text, tokenizer), start: token.start, end: token.end };
  });
}

/** Groups of neighbours by a strategy other than "none". */
export function groupTokens(tokens: readonly ScoredToken[], strategy: Exclude<AggregationStrategy, "none">, context: AggregationContext): EntityGroup[] {
  const labelled = strategy === "simple" ? labelTokens(tokens, context) : wordsOf(tokens, context).map((word) => labelWord(word, strategy, context));
  const groups: Labelled[][] = [];
  for (const one of labelled) {
    const last = groups.at(-1)?.at(-1);
    const { begins, tag } = tagOf(one.entity);
    if (last && tag === tagOf(last.entity).tag && !begins) groups.at(-1)!.push(one);
    else groups.push([one]);
  }
  return groups.map((group) => ({
    entityGroup: group[0]!.entity.slice(group[0]!.entity.indexOf("-") + 1),
    score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
    word: context.tokenizer.tokensToText(group.map(({ word }) => word)),
    start: group[0]!.start,
    end: group.at(-1)!.end,
  }));
}

/** Of groups from windows that overlap, the longer one of two that do, or the surer one. */
export function withoutOverlaps(groups: readonly EntityGroup[]): EntityGroup[] {
  const kept: EntityGroup[] = [];
  for (const group of groups.toSorted((a, b) => a.start - b.start)) {
    const last = kept.at(-1);
    if (!last || group.start >= last.end) {
      kept.push(group);
      continue;
    }
    const longer = group.end - group.start - (last.end - last.start);
    if (longer > 0 || (longer === 0 && group.score > last.score)) kept[kept.length - 1] = group;
  }
  return kept;
}

const spelling = ({ id, token, start, end }: TextToken, text: string, tokenizer: Tokenizer): string => (id === tokenizer.specialTokenId("unk") ? text.slice(start, end) : (tokenizer.idToToken(id) ?? token));

/** A label of the B-I scheme; others go on like I. */
function tagOf(label: string): { readonly begins: boolean; readonly tag: string } {
  const [prefix, tag] = [label.slice(0, 2), label.slice(2)];
  return prefix === "B-" || prefix === "I-" ? { begins: prefix === "B-", tag } : { begins: false, tag: label };
}

function wordsOf(tokens: readonly ScoredToken[], context: AggregationContext): ScoredToken[][] {
  const words: ScoredToken[][] = [];
  for (const token of tokens) {
    if (words.length > 0 && continuesWord(token.token, context)) words.at(-1)!.push(token);
    else words.push([token]);
  }
  return words;
}

/** Tokenizers that mark the middle of words say so; of others a space says where words begin. */
function continuesWord(token: TextToken, { text, tokenizer }: AggregationContext): boolean {
  if (token.id === tokenizer.specialTokenId("unk")) return false;
  const model = tokenizer.tokenizerJson["model"] as { continuing_subword_prefix?: string | null } | undefined;
  if (model?.continuing_subword_prefix) return lengthOf(token.token) !== lengthOf(text.slice(token.start, token.end));
  return token.start > 0 && !text.slice(token.start - 1, token.start + 1).includes(" ");
}

function labelWord(word: readonly ScoredToken[], strategy: "first" | "average" | "max", { text, tokenizer, labels }: AggregationContext): Labelled {
  const scores = strategy === "average" ? meanOf(word) : strategy === "first" ? word[0]!.scores : surest(word).scores;
  const id = best(scores);
  return {
    entity: labels[id]!,
    score: scores[id]!,
    word: tokenizer.tokensToText(word.map(({ token }) => spelling(token, text, tokenizer))),
    start: word[0]!.token.start,
    end: word.at(-1)!.token.end,
  };
}

const meanOf = (word: readonly ScoredToken[]): Float32Array => word[0]!.scores.map((_, i) => word.reduce((sum, { scores }) => sum + scores[i]!, 0) / word.length);

const surest = (word: readonly ScoredToken[]): ScoredToken => word.reduce((kept, token) => (Math.max(...token.scores) > Math.max(...kept.scores) ? token : kept));
