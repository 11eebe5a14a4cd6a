import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadTokenizer, type Tokenizer } from "../tokenizer.ts";
import { trainByteLevelBpe } from "../train/byte-level-bpe.ts";
import { trainWordPiece } from "../train/wordpiece.ts";
import { AlignedText } from "./aligned-text.ts";

const texts = ["the film was good and the food was good", "这家店的水果很新鲜", "good bad café naïve"].flatMap((text) => [text, text, text]);
const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] };
/** As T5's and XLM-R's: the pieces are those that the test needs. */
const unigram = (scheme: "always" | "first") =>
  loadTokenizer({
    ...parts,
    normalizer: { type: "Sequence", normalizers: [{ type: "NFKC" }, { type: "Replace", pattern: { Regex: " {2,}" }, content: " " }] },
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: scheme, split: true },
    model: { type: "Unigram", unk_id: 0, vocab: [["<unk>", 0], ["▁", -3], ["▁go", -3], ["od", -3], ["fine", -3], ["é", -3], ["s", -3]], byte_fallback: false },
  });

let wordPiece: Tokenizer;
let byteLevel: Tokenizer;
beforeAll(async () => {
  wordPiece = await trainWordPiece(texts, { vocabSize: 120 });
  byteLevel = await trainByteLevelBpe(texts, { vocabSize: 320 });
});

const spans = (tokenizer: Tokenizer, text: string) => tokenizer.tokenize(text).map(({ token, start, end }) => [token, start, end]);

describe("tokenize", () => {
  // Places that Python's tokenizers 0.23 gives for tokenizers of these kinds.
  it("goes back through case, accents, ideographs and what is left out", () => {
    const text = "  Café\u0301 店！ GOOD\u200b";
    const places = wordPiece.tokenize(text).map(({ start, end }) => text.slice(start, end));
    expect(places.join("|").replaceAll(/\|?##/g, "")).toMatch(/^C/);
    expect(places.at(-1)).toBe("GOOD");
    expect(spans(wordPiece, "İ GOOD").at(-1)).toEqual(["good", 2, 6]);
    expect(spans(wordPiece, "Ω good")).toEqual([["[UNK]", 0, 1], ["good", 2, 6]]);
    expect(spans(wordPiece, "good[MASK]good")).toEqual([["good", 0, 4], ["[MASK]", 4, 10], ["good", 10, 14]]);
  });

  it("gives the bytes of a character its place, and leaves out spaces where the post-processor says so", () => {
    const emoji = spans(byteLevel, "a 👍");
    expect(emoji.slice(1).every(([, start, end]) => start === 1 || (start === 2 && end === 4))).toBe(true);
    const json = { ...byteLevel.tokenizerJson, post_processor: { type: "RobertaProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2], trim_offsets: true, add_prefix_space: false } };
    expect(spans(byteLevel, "the good").at(-1)!.slice(1)).toEqual([3, 8]);
    expect(spans(loadTokenizer(json), "the good").at(-1)!.slice(1)).toEqual([4, 8]);
  });

  it("follows normal forms and replaced spaces", () => {
    expect(spans(unigram("always"), "good  ﬁne")).toEqual([["▁go", 0, 2], ["od", 2, 4], ["▁", 5, 6], ["fine", 6, 9]]);
    expect(spans(unigram("always"), "e\u0301s")).toEqual([["▁", 0, 1], ["é", 0, 1], ["s", 2, 3]]);
    expect(spans(unigram("first"), "").length).toBe(0);
  });

  it("gives the ids of encode, in places that go forward", () => {
    const piece = fc.constantFrom("good ", " film", ", ", "水果", "\n", "  ", "BAD", "naïve ", "İ", "Σ", "e\u0301", "👍🏽", "ﬁ", "\u00a0", "\u200b", "[MASK]", "ß", "\ud800", "\u1112\u1161\u11ab", "?");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join("");
        for (const tokenizer of [wordPiece, byteLevel, unigram("always")]) {
          const tokens = tokenizer.tokenize(text);
          const framed = tokenizer.frame(tokens);
          expect({ ids: framed.ids, typeIds: framed.typeIds }).toEqual(tokenizer.encode(text));
          tokens.forEach(({ start, end }, i) => {
            expect(start <= end && end <= text.length && start >= (tokens[i - 1]?.start ?? 0)).toBe(true);
          });
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("frame", () => {
  it("puts parts of two texts between special tokens, as encode does whole ones", () => {
    const [first, second] = [wordPiece.tokenize("good film"), wordPiece.tokenize("the food was bad")];
    const { ids, typeIds, tokens, sequences } = wordPiece.frame(first, second);
    expect({ ids, typeIds }).toEqual(wordPiece.encode("good film", { pair: "the food was bad" }));
    expect(tokens[0]).toBeUndefined();
    expect(tokens.filter((_, i) => sequences[i] === 1)).toEqual(second);
    expect(wordPiece.frame(first.slice(1)).ids).toEqual(wordPiece.encode("film").ids);
    expect([wordPiece.frameSize(), wordPiece.frameSize(true)]).toEqual([2, 3]);
  });
});

describe("AlignedText", () => {
  it("keeps places through changes of length", () => {
    const text = AlignedText.of("xße\u0301", 5);
    const upper = text.map((part) => part.toUpperCase().normalize("NFC"));
    expect(upper.text).toBe("XSSÉ");
    expect([upper.span(1, 2), upper.span(2, 3), upper.span(3, 4), upper.span(0, 4)]).toEqual([[6, 7], [6, 7], [7, 8], [5, 8]]);
    expect(text.prepend("__").span(0, 3)).toEqual([5, 6]);
  });
});
