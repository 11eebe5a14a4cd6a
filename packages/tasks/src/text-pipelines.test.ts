import { rm } from "node:fs/promises";
import { ReferenceDevice } from "@heddle/kernels";
import { afterAll, describe, expect, it } from "vitest";
import { MaskFiller } from "./fill-mask/filler.ts";
import { pipeline } from "./pipeline.ts";
import { bestSpans } from "./question-answering/spans.ts";
import { writeTinyEncoder } from "./testing/tiny-encoder.ts";

// The numbers are those of Python's pipelines (transformers 4.57.1) for the very folders that `writeTinyEncoder` writes: the same seed gives
// the same weights and tokenizer everywhere.

const device = new ReferenceDevice();
const nerFolder = await writeTinyEncoder("token-classification", { labels: ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], seed: 1 });
const qaFolder = await writeTinyEncoder("question-answering");
const maskFolder = await writeTinyEncoder("masked-lm");
const nliFolder = await writeTinyEncoder("sequence-classification", { labels: ["contradiction", "neutral", "entailment"] });
const folders = [nerFolder, qaFolder, maskFolder, nliFolder];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const rounded = (score: number) => Number(score.toFixed(4));

describe("token-classification", () => {
  const text = "Anna Bergs works in Zürich, at Cheese shop Ω";
  const average = [["LOC", 0.5333, "anna", 0, 4], ["PER", 0.3516, "bergs works in", 5, 19], ["PER", 0.3347, "zurich", 20, 26], ["LOC", 0.4035, ",", 26, 27], ["PER", 0.5375, "at", 28, 30], ["LOC", 0.4198, "cheese shop Ω", 31, 44]];

  it("labels tokens, and groups them by each strategy", async () => {
    const tag = await pipeline("ner", nerFolder, { device });
    const tokens = await tag(text);
    expect(tokens.slice(0, 4).map(({ entity, score, word, start, end, index }) => [entity, rounded(score), word, start, end, index])).toEqual([["I-LOC", 0.8715, "an", 0, 2, 1], ["I-LOC", 0.6761, "##n", 2, 3, 2], ["B-PER", 0.497, "b", 5, 6, 4], ["I-PER", 0.4887, "##e", 6, 7, 5]]);
    const groups = async (aggregationStrategy: "simple" | "first" | "average" | "max") => (await tag(text, { aggregationStrategy })).map(({ entityGroup, score, word, start, end }) => [entityGroup, rounded(score), word, start, end]);
    expect((await groups("simple")).slice(0, 4)).toEqual([["LOC", 0.7738, "ann", 0, 3], ["PER", 0.4929, "be", 5, 7], ["PER", 0.555, "##r", 7, 8], ["PER", 0.6536, "##g", 8, 9]]);
    expect((await groups("first")).map(([group, score]) => [group, score])).toEqual([["LOC", 0.8715], ["PER", 0.497], ["PER", 0.4268], ["PER", 0.624], ["LOC", 0.4035], ["LOC", 0.3552], ["LOC", 0.3104], ["PER", 0.545], ["LOC", 0.5289]]);
    expect(await groups("average")).toEqual(average);
    expect((await groups("max")).map(([, score]) => score)).toEqual([0.8715, 0.5065, 0.624, 0.4035, 0.8179, 0.8185]);
    expect(tag.labels).toHaveLength(5);
    tag.dispose();
  });

  it("reads long texts in windows, or says that they were cut", async () => {
    using tag = await pipeline("token-classification", nerFolder, { device });
    const twice = `${text} ${text}`;
    const groups = await tag(twice, { aggregationStrategy: "average", stride: 4 });
    expect(groups.map(({ start, end }) => [start, end])).toEqual([[0, 4], [5, 10], [11, 16], [17, 19], [20, 26], [26, 27], [28, 30], [31, 44], [45, 49], [50, 61], [62, 64], [65, 71], [71, 72], [73, 75], [76, 87], [88, 89]]);
    expect([rounded(groups[0]!.score), rounded(groups[15]!.score)]).toEqual([0.3828, 0.4064]);
    const warnings: string[] = [];
    const [cut, short] = await tag([twice, "Anna"], { ignoreLabels: [], onWarning: ({ code }) => warnings.push(code) });
    expect([cut!.at(-1)!.index, short!.length, warnings]).toEqual([30, 3, ["TEXT_TRUNCATED"]]);
    await expect(tag(twice, { stride: 4 })).rejects.toThrow(/stride joins/);
  });
});

describe("question-answering", () => {
  const question = { question: "who works?", context: "Anna Berg works in Zürich at the harbour. Who sells bread and cheese in the small shop at the harbour?" };
  const short = (answers: readonly { score: number; start: number; end: number; answer: string }[]) => answers.map(({ score, start, end, answer }) => [rounded(score), start, end, answer]);

  it("finds answers in contexts longer than the model takes, as Python's pipeline does", async () => {
    using ask = await pipeline("question-answering", qaFolder, { device });
    expect(short([await ask(question)])).toEqual([[0.2725, 10, 40, "works in Zürich at the harbour"]]);
    expect(short(await ask(question, { topK: 2 }))).toEqual([[0.2793, 10, 40, "works in Zürich at the harbour"], [0.262, 26, 40, "at the harbour"]]);
    expect(short(await ask(question, { topK: 2, alignToWords: false }))).toEqual([[0.2216, 26, 38, "at the harbo"], [0.1377, 12, 38, "rks in Zürich at the harbo"]]);
    expect(short(await ask(question, { topK: 2, docStride: 4 }))).toEqual([[0.1044, 52, 61, "bread and"], [0.0865, 52, 57, "bread"]]);
    const [all] = await ask([question], { topK: 500, handleImpossibleAnswer: true });
    expect(all!.filter(({ answer }) => answer === "")).toHaveLength(1);
    await expect(ask({ question: "who works in the small shop at the harbour of Zürich?", context: question.context })).rejects.toThrow(/ask a shorter question/);
    await expect(ask({ question: "", context: "x" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("takes the likeliest of all stretches that may be answers", () => {
    const logits = (seed: number) => Float32Array.from({ length: 12 }, (_, i) => Math.sin(seed * (i + 1) * 1.7) * 2);
    const [start, end] = [logits(1), logits(2)];
    const allowed = Array.from({ length: 12 }, (_, i) => i === 0 || i > 3);
    const power = (values: Float32Array, i: number) => (i > 3 ? Math.exp(values[i]!) : 0) / values.reduce((sum, value, j) => sum + (allowed[j] ? Math.exp(value) : 0), 0);
    const naive = Array.from({ length: 12 }, (_, first) => Array.from({ length: 12 }, (__, last) => (last >= first && last < first + 4 ? power(start, first) * power(end, last) : 0))).flat().sort((a, b) => b - a);
    expect(bestSpans(start, end, allowed, 5, 4).spans.map(({ score }) => rounded(score))).toEqual(naive.slice(0, 5).map(rounded));
  });
});

describe("fill-mask", () => {
  it("gives the likeliest tokens, of all or of some", async () => {
    using fill = await pipeline("fill-mask", maskFolder, { device });
    const text = `Anna works in ${fill.maskToken}`;
    const short = async (options?: Parameters<typeof fill>[1]) => (await fill(text, options)).map(({ score, token, tokenStr, sequence }) => [rounded(score), token, tokenStr, sequence]);
    expect(await short({ topK: 3 })).toEqual([[0.4249, 25, "z", "anna works in z"], [0.187, 6, "b", "anna works in b"], [0.1461, 21, "s", "anna works in s"]]);
    expect(await short({ targets: ["zurich", "bread"] })).toEqual([[0.187, 6, "b", "anna works in b"], [0.0038, 54, "zur", "anna works in zur"]]);
    await expect(fill("no gap")).rejects.toThrow(/has no \[MASK\]/);
    await expect(fill("[MASK] sells [MASK]")).rejects.toThrow(/2 masks/);
  });

  it("fills several masks, each by itself", async () => {
    using filler = await MaskFiller.fromPretrained(maskFolder, { device });
    const [masks] = await filler.fill(["[MASK] sells [MASK]"], { topK: 1 });
    expect(masks!.map(([best]) => [rounded(best!.score), best!.sequence])).toEqual([[0.529, "[CLS] b sells [MASK] [SEP]"], [0.593, "[CLS] [MASK] sells b [SEP]"]]);
  });
});

describe("zero-shot-classification", () => {
  it("scores labels against each other, or each by itself, and frees what it held", async () => {
    const before = device.memory.currentBytes;
    const classify = await pipeline("zero-shot-classification", nliFolder, { device });
    const labels = ["shop", "harbour", "cheese"];
    const one = await classify("Anna sells bread", labels);
    expect([one.sequence, one.labels, one.scores.map(rounded)]).toEqual(["Anna sells bread", ["shop", "cheese", "harbour"], [0.6194, 0.3001, 0.0805]]);
    const [several] = await classify(["Anna sells bread"], labels, { multiLabel: true, hypothesisTemplate: "in the {}" });
    expect(several!.scores.map(rounded)).toEqual([0.8892, 0.8331, 0.7546]);
    await expect(classify("x", labels, { hypothesisTemplate: "no place" })).rejects.toThrow(/has no \{\}/);
    await expect(classify("x", [])).rejects.toThrow(/no labels/);
    classify.dispose();
    expect(device.memory.currentBytes).toBe(before);
    const unlabelled = await writeTinyEncoder("sequence-classification");
    folders.push(unlabelled);
    await expect(pipeline("zero-shot-classification", unlabelled, { device })).rejects.toThrow(/natural language inference/);
    expect(device.memory.currentBytes).toBe(before);
  });
});
