import { Heap } from "../heap.ts";

/** Words as sequences of symbols, each an index into `vocabulary`. */
export interface MergeProblem {
  readonly words: readonly number[][];
  /** How often each word occurs. */
  readonly counts: readonly number[];
  /** Symbol → token; merges append to it. */
  readonly vocabulary: string[];
  readonly vocabSize: number;
  /** Pairs that occur less often are not merged. */
  readonly minFrequency: number;
  /** The token for a pair of tokens. */
  readonly join: (left: string, right: string) => string;
}

interface Candidate {
  readonly key: number;
  readonly count: number;
}

// Two symbols in one number: exact up to 2^53, and far quicker as a map's key than a text.
const RADIX = 2 ** 24;
const keyOf = (left: number, right: number): number => left * RADIX + right;
const leftOf = (key: number): number => Math.floor(key / RADIX);
const rightOf = (key: number): number => key % RADIX;

/**
 * Byte-pair encoding (Sennrich et al. 2016): joins the most frequent adjacent pair until the vocabulary is full. Pair
 * counts are kept up to date instead of recounted; a heap holds the candidates, with counts that may be out of date
 * and are corrected when they come up, as in Hugging Face's `bpe/trainer.rs`. Equal counts: the pair of lower symbols.
 *
 * Changes `words` and `vocabulary`; returns the merges in order.
 */
export async function learnMerges(problem: MergeProblem, breathe: () => Promise<void> | undefined, onMerge: (vocabSize: number) => void): Promise<[left: string, right: string][]> {
  const { words, counts, vocabulary, vocabSize, minFrequency, join } = problem;
  const symbolOf = new Map(vocabulary.map((token, symbol) => [token, symbol]));
  const pairCounts = new Map<number, number>();
  const wordsWith = new Map<number, Set<number>>();
  const add = (key: number, word: number, amount: number): void => {
    pairCounts.set(key, (pairCounts.get(key) ?? 0) + amount);
    if (amount < 0) return;
    const places = wordsWith.get(key);
    if (places) places.add(word);
    else wordsWith.set(key, new Set([word]));
  };
  words.forEach((symbols, word) => {
    for (let i = 1; i < symbols.length; i++) add(keyOf(symbols[i - 1]!, symbols[i]!), word, counts[word]!);
  });
  const heap = new Heap<Candidate>(
    Array.from(pairCounts, ([key, count]) => ({ key, count })),
    (a, b) => a.count > b.count || (a.count === b.count && a.key < b.key),
  );
  const merges: [string, string][] = [];
  while (vocabulary.length < vocabSize) {
    const top = heap.pop();
    if (!top || top.count < Math.max(1, minFrequency)) break;
    const count = pairCounts.get(top.key) ?? 0;
    if (count !== top.count) {
      if (count > 0) heap.push({ key: top.key, count });
      continue;
    }
    const [left, right] = [leftOf(top.key), rightOf(top.key)];
    const token = join(vocabulary[left]!, vocabulary[right]!);
    let symbol = symbolOf.get(token);
    if (symbol === undefined) {
      symbol = vocabulary.push(token) - 1;
      symbolOf.set(token, symbol);
    }
    merges.push([vocabulary[left]!, vocabulary[right]!]);
    const grown = new Set<number>();
    for (const word of wordsWith.get(top.key) ?? []) {
      mergeInWord(words[word]!, left, right, symbol, (key, sign) => {
        add(key, word, sign * counts[word]!);
        if (sign > 0) grown.add(key);
      });
    }
    pairCounts.delete(top.key);
    wordsWith.delete(top.key);
    for (const key of grown) {
      const grownCount = pairCounts.get(key) ?? 0;
      if (grownCount > 0) heap.push({ key, count: grownCount });
    }
    onMerge(vocabulary.length);
    await breathe();
  }
  return merges;
}

/** Replaces every `left right` by `symbol` and reports the neighbouring pairs that went (-1) and came (+1). */
function mergeInWord(symbols: number[], left: number, right: number, symbol: number, change: (key: number, sign: 1 | -1) => void): void {
  let to = 0;
  for (let from = 0; from < symbols.length; from++, to++) {
    if (symbols[from] !== left || symbols[from + 1] !== right) {
      symbols[to] = symbols[from]!;
      continue;
    }
    const before = to > 0 ? symbols[to - 1] : undefined;
    const after = symbols[from + 2];
    if (before !== undefined) {
      change(keyOf(before, left), -1);
      change(keyOf(before, symbol), 1);
    }
    if (after !== undefined) {
      change(keyOf(right, after), -1);
      change(keyOf(symbol, after), 1);
    }
    symbols[to] = symbol;
    from++;
  }
  symbols.length = to;
}
