import { describe, expect, it } from "vitest";
import { learnMerges } from "./pair-merges.ts";
import { trainByteLevelBpe } from "./byte-level-bpe.ts";
import { trainWordPiece } from "./wordpiece.ts";

const texts = Array.from({ length: 300 }, (_, i) => `review ${i % 17}: the ${["food", "film", "phone", "parcel"][i % 4]} was ${["good", "awful", "not bad", "Überraschend"][i % 3]}, 质量${i % 2 ? "很好" : "太差"}！`);
const now = (): undefined => undefined;

describe("learnMerges", () => {
  /** Recounts every pair before every merge: slow, and plainly right. */
  function learnNaively(words: number[][], counts: number[], vocabulary: string[], vocabSize: number): [string, string][] {
    const merges: [string, string][] = [];
    while (vocabulary.length < vocabSize) {
      const pairs = new Map<string, { left: number; right: number; count: number }>();
      words.forEach((word, w) => {
        for (let i = 1; i < word.length; i++) {
          const pair = pairs.get(`${word[i - 1]} ${word[i]}`) ?? { left: word[i - 1]!, right: word[i]!, count: 0 };
          pair.count += counts[w]!;
          pairs.set(`${pair.left} ${pair.right}`, pair);
        }
      });
      const best = [...pairs.values()].sort((a, b) => b.count - a.count || a.left - b.left || a.right - b.right)[0];
      if (!best || best.count < 2) break;
      const token = vocabulary[best.left]! + vocabulary[best.right]!;
      let symbol = vocabulary.indexOf(token);
      if (symbol < 0) symbol = vocabulary.push(token) - 1;
      merges.push([vocabulary[best.left]!, vocabulary[best.right]!]);
      words.forEach((word, w) => {
        const merged: number[] = [];
        for (let i = 0; i < word.length; i++) {
          const isPair = word[i] === best.left && word[i + 1] === best.right;
          merged.push(isPair ? symbol : word[i]!);
          if (isPair) i++;
        }
        words[w] = merged;
      });
    }
    return merges;
  }

  it("equals recounting after every merge, repeated letters included", async () => {
    let state = 7;
    const next = (limit: number): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % limit;
    for (let round = 0; round < 30; round++) {
      const words = Array.from({ length: 40 }, () => Array.from({ length: 1 + next(12) }, () => next(2 + (round % 4))));
      const counts = words.map(() => 1 + next(5));
      const alphabet = ["a", "b", "c", "d", "e", "f"];
      const naive = learnNaively(words.map((word) => [...word]), counts, [...alphabet], 60);
      const quick = await learnMerges({ words, counts, vocabulary: [...alphabet], vocabSize: 60, minFrequency: 2, join: (a, b) => a + b }, now, now);
      expect(quick).toEqual(naive);
    }
  });
});

describe.each([["trainWordPiece", trainWordPiece, 100], ["trainByteLevelBpe", trainByteLevelBpe, 330]] as const)("%s", (_, train, vocabSize) => {
  it("fills the vocabulary with the special tokens first, the same every time", async () => {
    const tokenizer = await train(texts, { vocabSize });
    expect(tokenizer.vocabSize).toBe(vocabSize);
    expect([0, 1, 2, 3, 4].map((id) => tokenizer.idToToken(id))).toEqual(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
    expect((await train(texts, { vocabSize })).tokenizerJson).toEqual(tokenizer.tokenizerJson);
    for (const text of texts) expect(tokenizer.encode(text).ids).not.toContain(1);
    expect(tokenizer.encode("good").ids.length).toBe(3); // a frequent word is one piece
  });

  it("takes an async source, reports progress, gives way to other tasks and stops when asked", async () => {
    async function* stream(): AsyncGenerator<string> {
      for (let i = 0; i < 200; i++) yield* texts;
    }
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const phases = new Set<string>();
    await train(stream(), { vocabSize, onProgress: ({ phase }) => phases.add(phase) });
    clearInterval(timer);
    expect(phases).toEqual(new Set(["counting", "merging"]));
    expect(ticks).toBeGreaterThan(2);
    const stop = new AbortController();
    await expect(train(stream(), { vocabSize, signal: stop.signal, onProgress: () => stop.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("says what is wrong with its input", async () => {
    await expect(train([], { vocabSize })).rejects.toMatchObject({ code: "TOKENIZER_TRAINING_FAILED" });
    await expect(train(["good", null as unknown as string], { vocabSize })).rejects.toMatchObject({ code: "TOKENIZER_TRAINING_FAILED", message: expect.stringContaining("text 1") });
    await expect(train(texts, { vocabSize: 3 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((await train(["ok \ud800", ""], { vocabSize })).encode("ok").ids.length).toBeGreaterThan(2);
  });
});

it("keeps rare characters from filling a small vocabulary", async () => {
  const rare = String.fromCodePoint(...Array.from({ length: 500 }, (_, i) => 0x4e00 + i * 7));
  const piecesOfGood = async (alphabetSize?: number): Promise<(string | undefined)[]> => {
    const tokenizer = await trainWordPiece([...texts, rare], { vocabSize: 150, alphabetSize });
    expect(tokenizer.vocabSize).toBeLessThanOrEqual(150);
    return tokenizer.encode("good", { addSpecialTokens: false }).ids.map((id) => tokenizer.idToToken(id));
  };
  expect(await piecesOfGood()).toEqual(["good"]);
  expect(await piecesOfGood(1000)).toEqual(["[UNK]"]);
});

it("joins Chinese characters into words only where it is told to", async () => {
  const texts = Array.from({ length: 20 }, (_, i) => `质量很好${i % 2 ? "，服务很好" : "。"}`);
  const whole = await trainWordPiece(texts, { vocabSize: 60, splitIdeographs: false });
  const split = await trainWordPiece(texts, { vocabSize: 60 });
  expect(split.encode("质量很好").ids).toHaveLength(2 + 4);
  expect(whole.encode("质量很好").ids.length).toBeLessThan(2 + 4);
  expect(whole.decode(whole.encode("质量很好").ids, { skipSpecialTokens: true }).replaceAll(" ", "")).toBe("质量很好");
});
