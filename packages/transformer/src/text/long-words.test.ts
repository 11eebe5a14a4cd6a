import { BPE } from "@huggingface/tokenizers";
import { expect, it } from "vitest";
import { speedUpLongWords } from "./long-words.ts";
import { trainByteLevelBpe } from "./train/byte-level-bpe.ts";

it("gives long words the tokens that the library gives them", async () => {
  const texts = ["goodfilmgoodfood", "aaaaabaaab", "这家店的水果很新鲜", "foodfilm"].flatMap((text) => [text, text]);
  const { tokenizerJson } = await trainByteLevelBpe(texts, { vocabSize: 300 });
  const config = tokenizerJson["model"] as ConstructorParameters<typeof BPE>[0];
  const library = new BPE(config);
  const quick = new BPE(config);
  speedUpLongWords(quick);
  let state = 3;
  const next = (limit: number): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % limit;
  const alphabets = ["a", "ab", "gofilmd", "abgofilmdxyz"];
  for (let round = 0; round < 40; round++) {
    const alphabet = alphabets[round % alphabets.length]!;
    const word = Array.from({ length: 250 + next(400) }, () => alphabet[next(alphabet.length)]).join("");
    expect(quick.bpe(word)).toEqual(library.bpe(word));
  }
  expect(quick.bpe("中".repeat(300))).toEqual(library.bpe("中".repeat(300))); // not bytes: left to the library
});
