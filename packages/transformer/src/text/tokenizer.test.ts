import { beforeAll, describe, expect, it } from "vitest";
import { loadTokenizer, type Tokenizer } from "./tokenizer.ts";
import { trainByteLevelBpe } from "./train/byte-level-bpe.ts";
import { trainWordPiece } from "./train/wordpiece.ts";

const texts = ["the film was good and the food was good", "这家店的水果很新鲜", "the service was bad, 太差了", "good good bad"].flatMap((text) => [text, text, text]);
let wordPiece: Tokenizer;
let byteLevel: Tokenizer;
let decoder: Tokenizer;
beforeAll(async () => {
  wordPiece = await trainWordPiece(texts, { vocabSize: 120 });
  byteLevel = await trainByteLevelBpe(texts, { vocabSize: 320 });
  decoder = await trainByteLevelBpe(texts, { vocabSize: 320, for: "decoder" });
});

const tokens = (tokenizer: Tokenizer, text: string): string[] => tokenizer.encode(text).ids.map((id) => tokenizer.idToToken(id)!);

describe("encode", () => {
  it("frames texts and pairs, and an empty text is the frame alone", () => {
    expect(tokens(wordPiece, "good film")).toEqual(["[CLS]", "good", "film", "[SEP]"]);
    expect(wordPiece.encode("good", { pair: "bad" })).toEqual({ ids: [2, wordPiece.tokenToId("good"), 3, wordPiece.tokenToId("bad"), 3], typeIds: [0, 0, 0, 1, 1] });
    for (const tokenizer of [wordPiece, byteLevel]) expect(tokenizer.encode("").ids).toEqual([2, 3]);
    expect(decoder.encode("").ids).toEqual([]);
    expect(decoder.encode("good", { pair: "bad" }).typeIds.at(-1)).toBe(1);
  });

  it("takes lone surrogates for U+FFFD", () => {
    for (const tokenizer of [wordPiece, byteLevel, decoder]) {
      expect(tokenizer.encode("a\ud83d b\udc00")).toEqual(tokenizer.encode("a\ufffd b\ufffd"));
      expect(tokenizer.decode(tokenizer.encode("good \ud800").ids)).toContain("good");
    }
  });

  it("is [UNK] for what the vocabulary cannot spell, and nothing is lost in bytes", () => {
    expect(tokens(wordPiece, "Ω")).toEqual(["[CLS]", "[UNK]", "[SEP]"]);
    const text = "Ω 👍🏽 naïve\n  ไทย";
    expect(byteLevel.decode(byteLevel.encode(text).ids)).toBe(text);
  });

  it("cuts to maxLength, and says so when not even the frame fits", () => {
    expect(wordPiece.encode("good bad good bad", { maxLength: 4 }).ids).toEqual([2, wordPiece.tokenToId("good"), wordPiece.tokenToId("bad"), 3]);
    expect(wordPiece.encode("good", { maxLength: 2 }).ids).toEqual([2, 3]);
    for (const maxLength of [1, -1, 2.5, NaN]) expect(() => wordPiece.encode("good", { maxLength })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("gives the same start of a long text, cut early or not", () => {
    const pieces = ["good ", "film, ", "水果新鲜", "\n", "  ", "BAD!!", "x".repeat(300), "naïve ", "İ Σ ς ", "e\u0301"];
    for (const tokenizer of [wordPiece, byteLevel, decoder]) {
      for (let seed = 0; seed < 20; seed++) {
        const text = Array.from({ length: 600 }, (_, i) => pieces[(i * 7 + seed * (i % 5)) % pieces.length]).join("");
        const whole = tokenizer.encode(text, { addSpecialTokens: false }).ids;
        for (const maxLength of [1, 17, 128]) expect(tokenizer.encode(text, { maxLength, addSpecialTokens: false }).ids).toEqual(whole.slice(0, maxLength));
      }
    }
  });

  it("reads 100,000 characters in time that grows with the length, not its square", () => {
    for (const unit of ["good film ", "goodfilm", "这家店的水果", "👍🏽"]) {
      for (const tokenizer of [wordPiece, byteLevel]) {
        const time = (characters: number): number => {
          const text = unit.repeat(Math.ceil(characters / unit.length));
          const start = process.cpuUsage(); // not the clock: the machine is shared
          tokenizer.encode(text);
          const { user, system } = process.cpuUsage(start);
          return (user + system) / 1000;
        };
        time(10_000);
        const short = time(10_000);
        expect(time(100_000), unit).toBeLessThan(Math.max(1000, short * 50));
      }
    }
  });
});

describe("encodeBatch", () => {
  it("pads ids, mask and types to the longest, or further", () => {
    const good = wordPiece.tokenToId("good")!;
    const batch = wordPiece.encodeBatch(["good", ""]);
    expect(batch).toMatchObject({ batch: 2, length: 3 });
    expect([...batch.inputIds]).toEqual([2, good, 3, 2, 3, 0]);
    expect([...batch.attentionMask]).toEqual([1, 1, 1, 1, 1, 0]);
    expect(wordPiece.encodeBatch(["good"], { padTo: 8, maxLength: 8 }).length).toBe(8);
    expect([...wordPiece.encodeBatch([["good", "bad"]]).tokenTypeIds]).toEqual([0, 0, 0, 1, 1]);
    expect(wordPiece.encodeBatch([])).toMatchObject({ batch: 0, length: 0 });
  });
});

describe("loadTokenizer", () => {
  it("comes back from its files the same", () => {
    for (const tokenizer of [wordPiece, byteLevel, decoder]) {
      const again = loadTokenizer(JSON.stringify(tokenizer.tokenizerJson), JSON.stringify(tokenizer.tokenizerConfig));
      expect(again.encode("good, 新鲜 x").ids).toEqual(tokenizer.encode("good, 新鲜 x").ids);
      expect([again.vocabSize, again.modelMaxLength, again.specialTokens]).toEqual([tokenizer.vocabSize, 512, tokenizer.specialTokens]);
    }
  });

  it("finds the special tokens without tokenizer_config.json", () => {
    const bare = loadTokenizer(JSON.stringify(wordPiece.tokenizerJson));
    expect([bare.specialTokenId("pad"), bare.specialTokenId("cls"), bare.specialTokenId("mask"), bare.specialTokenId("bos")]).toEqual([0, 2, 4, undefined]);
    expect(bare.modelMaxLength).toBeUndefined();
  });

  it.each(["{", "[]", "{}", '{"model":{"type":"Nonsense"},"decoder":null,"post_processor":null,"pre_tokenizer":null,"normalizer":null}'])("refuses %s", (json) => {
    expect(() => loadTokenizer(json)).toThrow(expect.objectContaining({ code: "TOKENIZER_INVALID" }));
  });
});
