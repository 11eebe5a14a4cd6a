import { compile, hostTensor, logSoftmax, ReferenceDevice, reshape, slice } from "@heddle/kernels";
import { describe, expect, it } from "vitest";
import { createConfig, type ModelType } from "../config/index.ts";
import { architectureFor, createModel, type Model } from "../models/index.ts";
import { beamSearch } from "./beam-search.ts";
import { generate, openSession, type GenerationContext } from "./generate.ts";
import type { GenerationOptions } from "./options.ts";
import { EncodedSource } from "./source.ts";

const device = new ReferenceDevice();
const sizes = { vocabSize: 23, hiddenSize: 16, numHiddenLayers: 2, numAttentionHeads: 4, intermediateSize: 24, maxPositionEmbeddings: 96, initializerRange: 0.5 };
const grouped = { ...sizes, numKeyValueHeads: 2, headDim: 4 };

type Options = { readonly modelType: ModelType } & Readonly<Record<string, unknown>>;

const decoders: Options[] = [
  { modelType: "gpt2", ...sizes },
  { modelType: "gpt_neox", ...sizes, hiddenSize: 32 },
  { modelType: "llama", ...grouped, tieWordEmbeddings: true },
  { modelType: "mistral", ...grouped, slidingWindow: 3 },
  { modelType: "qwen2", ...grouped },
  { modelType: "qwen3", ...grouped, headDim: 6 },
  { modelType: "phi3", ...grouped },
  { modelType: "gemma2", ...grouped, slidingWindow: 4, queryPreAttnScalar: 4 },
  { modelType: "gemma3_text", ...grouped, slidingWindow: 4, queryPreAttnScalar: 4 },
  { modelType: "smollm3", ...grouped },
];

const modelOf = (options: Options, seed = 5): Model => createModel(device, architectureFor(options.modelType, "causal-lm"), createConfig(options as { modelType: "llama" }), seed);

async function texts(model: Model, prompts: readonly (readonly number[])[], options: GenerationOptions, context?: GenerationContext): Promise<number[][]> {
  const rows: number[][] = prompts.map(() => []);
  for await (const { row, token } of generate(model, prompts, { eosTokenIds: [], ...options }, context)) rows[row]!.push(token);
  return rows;
}

/** Log-probabilities of the next token by the whole text each time: slow, and plainly right. */
async function nextOf(model: Model, text: readonly number[], source: Record<string, ReturnType<typeof hostTensor>> = {}): Promise<Float32Array> {
  const ids = hostTensor(Int32Array.from(text), [1, text.length]);
  using compiled = compile(device, "naive", ({ ids: own, ...others }) => {
    const { logits } = model.forward(Object.keys(source).length > 0 ? { ...others, decoderInputIds: own! } : { inputIds: own! });
    return { next: reshape(logSoftmax(slice(logits!, { axis: 1, begin: -1 })), [-1]) };
  });
  return (await compiled.run({ ...source, ids }))["next"]!.data as Float32Array;
}

async function naive(model: Model, prompt: readonly number[], count: number, source = {}): Promise<number[]> {
  const text = [...prompt];
  for (let i = 0; i < count; i++) {
    const next = await nextOf(model, text, source);
    text.push(next.indexOf(Math.max(...next)));
  }
  return text.slice(prompt.length);
}

describe("generate", () => {
  it.each(decoders)("$modelType: goes on as the whole text would, token by token", async (options) => {
    using model = modelOf(options);
    const prompt = [3, 1, 4, 1, 5, 9, 2];
    expect((await texts(model, [prompt], { maxNewTokens: 8 }))[0]).toEqual(await naive(model, prompt, 8));
  });

  it("gives each of several prompts what it would get alone", async () => {
    using model = modelOf(decoders[2]!);
    const prompts = [[7], [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4], [2, 7, 1]];
    const together = await texts(model, prompts, { maxNewTokens: 6 });
    for (const [i, prompt] of prompts.entries()) expect(together[i]).toEqual((await texts(model, [prompt], { maxNewTokens: 6 }))[0]);
    expect(device.memory.currentBytes).toBeGreaterThan(0);
  });

  it("reads a long prompt in pieces", async () => {
    using model = modelOf({ modelType: "llama", ...grouped, numHiddenLayers: 1, maxPositionEmbeddings: 700 });
    const prompt = Array.from({ length: 540 }, (_, i) => (i * 7 + Math.floor(i / 5)) % 23);
    expect((await texts(model, [prompt], { maxNewTokens: 2 }))[0]).toEqual(await naive(model, prompt, 2));
  });

  it("keeps in a session what the next prompt has in common with the last text", async () => {
    using model = modelOf(decoders[0]!);
    const prompts = [[1], [1, 5, 2, 8, 4, 4, 6, 1, 9, 3, 3, 7, 2, 5, 8, 1, 6, 4, 2], [1, 5, 2, 9], [1, 5, 2, 9], [1, 5, 2, 9, 11, 12]];
    const session = openSession(model, [prompts[1]!], 10);
    for (const prompt of prompts) expect((await texts(model, [prompt], { maxNewTokens: 4 }, { session }))[0]).toEqual(await naive(model, prompt, 4));
    session.dispose();
  });

  it("ends at a token that ends texts, at the number asked for, and where the model ends", async () => {
    using model = modelOf(decoders[2]!);
    const free = (await texts(model, [[3, 1]], { maxNewTokens: 12 }))[0]!;
    const end = free[5]!;
    const tokens: unknown[] = [];
    for await (const { token, finishReason } of generate(model, [[3, 1]], { maxNewTokens: 12, eosTokenIds: [end] })) tokens.push(finishReason ?? token);
    expect(tokens.at(-1)).toBe("stop");
    expect(tokens.length).toBe(free.indexOf(end) + 1);
    const long = Array.from({ length: 90 }, (_, i) => i % 23);
    expect((await texts(model, [long], { maxNewTokens: 50 }))[0]).toHaveLength(6);
    await expect(texts(model, [Array.from({ length: 96 }, () => 1)], {})).rejects.toThrow(/a prompt has 96 tokens, LlamaForCausalLM takes texts of at most 96/);
    await expect(texts(model, [[1], []], {})).rejects.toThrow(/prompt 1 has no token/);
    await expect(texts(model, [[1, 23]], {})).rejects.toThrow(/prompt 0 has token 23, the model's are 0 to 22/);
    await expect(texts(model, [[1]], { temperature: -1 })).rejects.toThrow(/temperature is -1/);
  });

  it("obeys rules about the text so far", async () => {
    using model = modelOf(decoders[2]!);
    const run = async (options: GenerationOptions) => (await texts(model, [[3, 1, 4]], { maxNewTokens: 20, ...options }))[0]!;
    const free = await run({});
    const pairs = (text: readonly number[]) => text.slice(1).map((token, i) => `${text[i]} ${token}`);
    const unique = [3, 1, 4, ...(await run({ noRepeatNgramSize: 2 }))];
    expect(new Set(pairs(unique)).size).toBe(pairs(unique).length);
    expect(await run({ suppressTokens: [free[0]!] })).not.toContain(free[0]);
    expect((await run({ beginSuppressTokens: [free[0]!] }))[0]).not.toBe(free[0]);
    expect((await run({ forcedTokens: [7, 8] })).slice(0, 2)).toEqual([7, 8]);
    expect((await run({ forcedEosTokenId: 2 })).at(-1)).toBe(2);
    expect((await run({ allowedTokens: (tokens) => [tokens.length % 3] })).slice(0, 5)).toEqual([0, 1, 2, 0, 1]);
    expect(await run({ minNewTokens: 9, eosTokenIds: [free[0]!] })).not.toHaveLength(1);
    expect(new Set(await run({ presencePenalty: 1000 })).size).toBe(20);
    expect(new Set(await run({ repetitionPenalty: 1e6 })).size).toBeGreaterThan(new Set(free).size);
  });

  it("draws the same for the same seed, and with the narrowest choice the likeliest", async () => {
    using model = modelOf(decoders[2]!);
    const run = async (options: GenerationOptions) => (await texts(model, [[3, 1, 4]], { maxNewTokens: 12, temperature: 1.5, ...options }))[0]!;
    const greedy = await run({ temperature: 0 });
    expect(await run({ seed: 1 })).toEqual(await run({ seed: 1 }));
    expect(await run({ seed: 1 })).not.toEqual(await run({ seed: 2 }));
    for (const narrow of [{ topK: 1 }, { topP: 1e-6 }, { minP: 0.9999 }]) expect(await run({ seed: 1, ...narrow })).toEqual(greedy);
  });

  it("tells each token's log-probability", async () => {
    using model = modelOf(decoders[2]!);
    const text = [3, 1, 4];
    for await (const { token, logProbability } of generate(model, [[...text]], { maxNewTokens: 5, eosTokenIds: [], temperature: 0.7, logProbabilities: true })) {
      expect(logProbability).toBeCloseTo((await nextOf(model, text))[token]!, 4);
      text.push(token);
    }
  });

  it("stops at once when told to, and frees what it held", async () => {
    using model = modelOf(decoders[2]!);
    const before = device.memory.currentBytes;
    const stop = new AbortController();
    const seen: number[] = [];
    const run = async () => {
      for await (const { token } of generate(model, [[3]], { maxNewTokens: 50, eosTokenIds: [], signal: stop.signal })) {
        seen.push(token);
        if (seen.length === 3) stop.abort();
      }
    };
    await expect(run()).rejects.toMatchObject({ code: "ABORTED" });
    expect(seen).toHaveLength(3);
    for await (const _ of generate(model, [[3]], { maxNewTokens: 50, eosTokenIds: [] })) break;
    expect(device.memory.currentBytes).toBe(before);
  });
});

describe("beamSearch", () => {
  it("finds the likeliest text of all where it keeps enough of them", async () => {
    using model = modelOf({ modelType: "gpt2", ...sizes, vocabSize: 5 }, 9);
    const all: { text: number[]; score: number }[] = [];
    const visit = async (text: number[], score: number): Promise<void> => {
      if (text.length === 3) return void all.push({ text, score });
      const next = await nextOf(model, [2, ...text]);
      for (const [token, logProbability] of next.entries()) await visit([...text, token], score + logProbability);
    };
    await visit([], 0);
    const best = all.toSorted((a, b) => b.score - a.score)[0]!;
    expect(await beamSearch(model, [[2], [2]], { numBeams: 25, maxNewTokens: 3, eosTokenIds: [] })).toEqual([best.text, best.text]);
  });
});

describe("a model that reads first", () => {
  const halves: Options[] = [
    { modelType: "t5", vocabSize: 23, hiddenSize: 16, headDim: 4, numAttentionHeads: 4, numEncoderAttentionHeads: 4, numEncoderLayers: 2, numHiddenLayers: 2, intermediateSize: 24, relativeAttentionNumBuckets: 8, relativeAttentionMaxDistance: 9 },
    { modelType: "bart", vocabSize: 23, hiddenSize: 16, numAttentionHeads: 4, numEncoderAttentionHeads: 2, numEncoderLayers: 1, numHiddenLayers: 2, intermediateSize: 24, encoderIntermediateSize: 20, maxPositionEmbeddings: 40, initializerRange: 0.5, decoderStartTokenId: 2 },
    { modelType: "marian", vocabSize: 23, hiddenSize: 16, numAttentionHeads: 4, numEncoderAttentionHeads: 2, numEncoderLayers: 1, numHiddenLayers: 2, intermediateSize: 24, encoderIntermediateSize: 20, maxPositionEmbeddings: 40, initializerRange: 0.5, padTokenId: 22, decoderStartTokenId: 22 },
  ];

  it.each(halves)("$modelType: writes as the whole text would, greedily and by beams, and reads anew", async (options) => {
    using model = createModel(device, architectureFor(options.modelType, "seq2seq-lm"), createConfig(options as { modelType: "t5" }), 4);
    const start = "decoderStartTokenId" in model.config ? model.config.decoderStartTokenId : 0;
    const inputs = (ids: readonly number[]) => ({ inputIds: hostTensor(Int32Array.from(ids), [1, ids.length]), attentionMask: hostTensor(Int32Array.from(ids, (_, i) => Number(i < 5)), [1, ids.length]) });
    const first = inputs([3, 1, 4, 1, 5, 9, 2]);
    using source = await EncodedSource.encode(model, first);
    const wanted = await naive(model, [start], 7, first);
    expect((await texts(model, [[start]], { maxNewTokens: 7 }, { source }))[0]).toEqual(wanted);
    expect(await beamSearch(model, [[start]], { numBeams: 1, maxNewTokens: 7, eosTokenIds: [] }, { source })).toEqual([wanted]);
    const session = openSession(model, [[start]], 7, source);
    expect((await texts(model, [[start]], { maxNewTokens: 7 }, { session }))[0]).toEqual(wanted);
    const second = inputs([8, 8, 2, 6, 4, 1, 1]);
    await source.read(second);
    session.reset();
    expect((await texts(model, [[start]], { maxNewTokens: 7 }, { session }))[0]).toEqual(await naive(model, [start], 7, second));
    session.dispose();
    await expect(source.read(inputs([1, 2]))).rejects.toThrow(/shape of what was read first/);
    await expect(texts(model, [[start]], {})).rejects.toThrow(/give it a source/);
  });
});
