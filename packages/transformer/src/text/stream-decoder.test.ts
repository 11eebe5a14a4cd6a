import { describe, expect, it } from "vitest";
import { StreamDecoder } from "./stream-decoder.ts";
import { trainByteLevelBpe } from "./train/byte-level-bpe.ts";

describe("StreamDecoder", () => {
  const texts = ["The parcel was late. 很好！ 👩‍👩‍👧 naïve", "  two  spaces\n\nand lines", "é", "🙂"];

  it("gives out whole characters only, and in the end the whole text", async () => {
    const tokenizer = await trainByteLevelBpe(["plain words only, so that other characters fall into bytes"], { vocabSize: 300 });
    for (const text of texts) {
      const { ids } = tokenizer.encode(text, { addSpecialTokens: false });
      const decoder = new StreamDecoder(tokenizer);
      const pieces = ids.map((id) => decoder.push(id));
      expect(pieces.every((piece) => !piece.includes("\ufffd")), text).toBe(true);
      expect(pieces.join("") + decoder.flush()).toBe(tokenizer.decode(ids));
    }
  });

  it("shows at the end what never became a character", async () => {
    const tokenizer = await trainByteLevelBpe(["plain"], { vocabSize: 300 });
    const { ids } = tokenizer.encode("🙂", { addSpecialTokens: false });
    const decoder = new StreamDecoder(tokenizer);
    expect(ids.slice(0, -1).map((id) => decoder.push(id)).join("")).toBe("");
    expect(decoder.flush()).toMatch(/^\ufffd+$/);
    expect(decoder.flush()).toBe("");
  });
});
