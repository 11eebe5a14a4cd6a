import { describe, expect, it } from "vitest";
import { loadTokenizer } from "./tokenizer.ts";

/** Words of one letter; a frame as BERT's. What is expected below is what transformers 5.24 gives for this tokenizer. */
const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ..."abcdefghij"];
const special = (id: string, typeId: number) => ({ SpecialToken: { id, type_id: typeId } });
const text = (id: string, typeId: number) => ({ Sequence: { id, type_id: typeId } });
const json = {
  version: "1.0",
  added_tokens: words.slice(0, 4).map((content, id) => ({ id, content, special: true, normalized: false, lstrip: false, rstrip: false, single_word: false })),
  normalizer: null,
  pre_tokenizer: { type: "Whitespace" },
  post_processor: {
    type: "TemplateProcessing",
    single: [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)],
    pair: [special("[CLS]", 0), text("A", 0), special("[SEP]", 0), text("B", 1), special("[SEP]", 1)],
    special_tokens: { "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] }, "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] } },
  },
  decoder: null,
  model: { type: "WordLevel", vocab: Object.fromEntries(words.map((word, id) => [word, id])), unk_token: "[UNK]" },
};
const open = (config: object = {}) => loadTokenizer(json, { pad_token: "[PAD]", ...config });
const tokenizer = open();
const [first, pair] = ["a b c d e f g h", "j i h g f"];
const idsOf = (encodings: readonly { readonly ids: readonly number[] }[]) => encodings.map(({ ids }) => ids);

describe("truncation", () => {
  it("cuts the longer text first, or the one that is named, on either side", () => {
    const encode = (options: object) => tokenizer.encode(first, { pair, maxLength: 12, ...options }).ids;
    expect(encode({})).toEqual([2, 4, 5, 6, 7, 8, 3, 13, 12, 11, 10, 3]);
    expect(encode({ truncation: "longest_first" })).toEqual(encode({}));
    expect(encode({ truncation: "only_first" })).toEqual([2, 4, 5, 6, 7, 3, 13, 12, 11, 10, 9, 3]);
    expect(encode({ truncation: "only_second" })).toEqual([2, 4, 5, 6, 7, 8, 9, 10, 11, 3, 13, 3]);
    expect(encode({ truncation: "do_not_truncate" })).toHaveLength(16);
    expect(encode({ truncationSide: "left" })).toEqual([2, 7, 8, 9, 10, 11, 3, 12, 11, 10, 9, 3]);
    expect(tokenizer.encode(first, { maxLength: 5, truncationSide: "left" }).ids).toEqual([2, 9, 10, 11, 3]);
    expect(tokenizer.encode(first, { pair, maxLength: 3, truncation: "only_first" }).ids).toEqual([2, 3, 3]);
  });

  it("cuts to what the model takes where only the way is said", () => {
    expect(open({ model_max_length: 4 }).encode(first, { truncation: "longest_first" }).ids).toEqual([2, 4, 5, 3]);
    expect(open({ model_max_length: 4 }).encode(first).ids).toHaveLength(10);
    expect(tokenizer.encode(first, { truncation: "longest_first" }).ids).toHaveLength(10);
  });

  it("gives what overflows window by window", () => {
    const single = { maxLength: 6, stride: 2 };
    expect(idsOf(tokenizer.encodeOverflowing(first, single))).toEqual([[2, 4, 5, 6, 7, 3], [2, 6, 7, 8, 9, 3], [2, 8, 9, 10, 11, 3]]);
    expect(idsOf(tokenizer.encodeOverflowing(first, { ...single, truncationSide: "left" }))).toEqual([[2, 8, 9, 10, 11, 3], [2, 6, 7, 8, 9, 3], [2, 4, 5, 6, 7, 3]]);
    const both = tokenizer.encodeOverflowing(first, { pair, maxLength: 12, stride: 1 });
    expect(idsOf(both)).toEqual([[2, 4, 5, 6, 7, 8, 3, 13, 12, 11, 10, 3], [2, 8, 9, 10, 11, 3, 13, 12, 11, 10, 3], [2, 8, 9, 10, 11, 3, 10, 9, 3], [2, 4, 5, 6, 7, 8, 3, 10, 9, 3]]);
    expect(both[2]!.typeIds).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1]);
    expect(tokenizer.encodeOverflowing("a", { maxLength: 8 })).toEqual([tokenizer.encode("a")]);
    expect(tokenizer.frameOverflowing(tokenizer.tokenize(first), tokenizer.tokenize(pair), { maxLength: 12, stride: 1 }).map(({ ids }) => ids)).toEqual(idsOf(both));
  });

  it.each<[string, Parameters<typeof tokenizer.encodeOverflowing>[1], RegExp]>([
    ["a second text that is not there", { maxLength: 6, truncation: "only_second" }, /there is no second text/],
    ["a text too short to give way", { pair, maxLength: 7, truncation: "only_second" }, /9 tokens are too many and the second text has 5/],
    ["windows that never get on", { maxLength: 6, stride: 4 }, /stride is 4, a window has 4 tokens/],
    ["windows without room", { maxLength: 2 }, /room for 0/],
    ["a strategy of its own", { maxLength: 6, truncation: "first" as "only_first" }, /pass one of longest_first/],
    ["a third side", { maxLength: 6, truncationSide: "top" as "left" }, /"left" or "right"/],
  ])("refuses %s", (_, options, message) => {
    expect(() => tokenizer.encodeOverflowing(first, options)).toThrow(message);
  });
});

describe("padding", () => {
  it("stands on the side that the tokenizer's files or the caller say", () => {
    const padded = (options: object, by = tokenizer) => [...by.encodeBatch(["a b", "c"], options).inputIds];
    const [right, left] = [[2, 4, 5, 3, 2, 6, 3, 0], [2, 4, 5, 3, 0, 2, 6, 3]];
    expect([padded({}), padded({ paddingSide: "left" })]).toEqual([right, left]);
    expect([padded({}, open({ padding_side: "left" })), padded({ paddingSide: "right" }, open({ padding_side: "left" }))]).toEqual([left, right]);
    const stored = loadTokenizer({ ...json, padding: { direction: "Left" }, truncation: { direction: "Left" } });
    expect([stored.paddingSide, stored.truncationSide]).toEqual(["left", "left"]);
    const batch = tokenizer.encodeBatch([["a", "b"], ["a", "b c d"]], { paddingSide: "left", padToMultipleOf: 5, maxLength: 6 });
    expect([[...batch.inputIds], [...batch.attentionMask], [...batch.tokenTypeIds]]).toEqual([
      [0, 0, 0, 0, 0, 2, 4, 3, 5, 3, 0, 0, 0, 0, 2, 4, 3, 5, 6, 3],
      [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1],
      [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1],
    ]);
    expect(() => tokenizer.encodeBatch(["a"], { padToMultipleOf: 0 })).toThrow(/at least 1/);
  });
});
