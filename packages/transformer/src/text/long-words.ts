import type { BPE } from "@huggingface/tokenizers";
import { Heap } from "./heap.ts";

/** Shorter words stay with the library, which caches them. */
const LONG_WORD = 256;

const POSITIONS = 2 ** 32;
const SYMBOLS = 2 ** 24;

/**
 * Makes a BPE model quick on words of tens of thousands of characters (a text without spaces, as Chinese is): the
 * library builds a string and an object for every pair it looks at. Same merges in the same order, so the same tokens.
 */
export function speedUpLongWords(model: BPE): void {
  if (model.end_of_word_suffix || model.continuing_subword_suffix) return;
  const shortWord = model.bpe.bind(model);
  let pairs: ReadonlyMap<number, Merge> | undefined;
  model.bpe = (word) => {
    if (word.length < LONG_WORD) return shortWord(word);
    const symbols = Int32Array.from(word.match(/./gsu) ?? [], (character) => model.tokens_to_ids.get(character) ?? -1);
    if (symbols.includes(-1)) return shortWord(word);
    pairs ??= mergesByPair(model);
    return mergeSymbols(symbols, pairs).map((symbol) => model.vocab[symbol]!);
  };
}

interface Merge {
  readonly rank: number;
  readonly merged: number;
}

function mergesByPair(model: BPE): ReadonlyMap<number, Merge> {
  const ids = model.tokens_to_ids;
  return new Map(
    model.merges.flatMap(([left, right], rank) => {
      const merged = ids.get(left + right);
      const [leftId, rightId] = [ids.get(left), ids.get(right)];
      return merged === undefined || leftId === undefined || rightId === undefined ? [] : [[leftId * SYMBOLS + rightId, { rank, merged }] as const];
    }),
  );
}

/** Merges the pair of lowest rank, leftmost first, until none is left (Hugging Face's `bpe/word.rs`). */
function mergeSymbols(symbols: Int32Array, pairs: ReadonlyMap<number, Merge>): number[] {
  const end = symbols.length;
  const previous = Int32Array.from(symbols, (_, i) => i - 1);
  const next = Int32Array.from(symbols, (_, i) => i + 1);
  const mergeAt = (left: number): Merge | undefined => (left >= 0 && next[left]! < end ? pairs.get(symbols[left]! * SYMBOLS + symbols[next[left]!]!) : undefined);
  const queue = new Heap<number>([], (a, b) => a < b);
  const enqueue = (left: number): void => {
    const merge = mergeAt(left);
    if (merge) queue.push(merge.rank * POSITIONS + left);
  };
  for (let i = 0; i < end; i++) enqueue(i);
  for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
    const left = top % POSITIONS;
    const merge = symbols[left] === -1 ? undefined : mergeAt(left);
    if (!merge || merge.rank !== Math.floor(top / POSITIONS)) continue; // merged into something else meanwhile
    const right = next[left]!;
    symbols[left] = merge.merged;
    symbols[right] = -1;
    next[left] = next[right]!;
    if (next[left]! < end) previous[next[left]!] = left;
    enqueue(left);
    enqueue(previous[left]!);
  }
  return Array.from(symbols).filter((symbol) => symbol !== -1);
}
