import { openDevice, type WebGpuDevice } from "@heddle/kernels";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { pipeline } from "../pipeline.ts";
import { easyRows } from "../testing/reviews.ts";
import { TextClassifier } from "./classifier.ts";
import type { FitEvent } from "./types.ts";

// Seconds on a free machine; software adapters share two cores with whatever else runs.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const device = (await openDevice({ device: "webgpu" })) as WebGpuDevice;
const folder = await mkdtemp(join(tmpdir(), "heddle-fit-"));
afterAll(async () => {
  device.dispose();
  await rm(folder, { recursive: true });
});

const quick = { numTrainEpochs: 4, perDeviceTrainBatchSize: 16, learningRate: 5e-3, loggingSteps: 1 };

describe("TextClassifier", () => {
  const events: FitEvent[] = [];
  let classifier: TextClassifier;
  beforeAll(async () => {
    // So long that it learns with any seed.
    classifier = await TextClassifier.fit(easyRows(), { device, trainingArguments: { ...quick, numTrainEpochs: 12 }, onEvent: (event) => events.push(event) });
  });
  afterAll(() => classifier.dispose());

  it("learns plain labels, says what it does, and keeps the best epoch", () => {
    const plan = events.find((event) => event.type === "plan")!;
    expect(plan).toMatchObject({ labels: ["negative", "positive"], majorityAccuracy: 0.5, fineTuned: false, totalSteps: 48 });
    expect(plan.numTrainRows + plan.numEvalRows).toBe(64);
    const steps = events.filter((event) => event.type === "step");
    expect(steps.length).toBe(48);
    expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss / 2);
    const evaluations = events.filter((event) => event.type === "evaluation");
    expect(evaluations.length).toBe(12);
    const best = evaluations.filter((event) => event.best).at(-1)!;
    expect(classifier.summary!.evaluation.accuracy).toBe(best.accuracy);
    expect(classifier.summary!.evaluation.accuracy).toBeGreaterThanOrEqual(0.8);
    expect(classifier.summary!.bestEpoch).toBe(best.epoch);
  });

  it("answers in order, whatever the lengths, with scores that add up", async () => {
    const texts = easyRows().map(({ text }) => text);
    const answers = await classifier.classify(texts, { topK: null });
    const one = await classifier.classify([texts[37]!], { topK: 2 });
    expect(answers[37]!.map(({ label }) => label)).toEqual(one[0]!.map(({ label }) => label));
    expect(answers[37]![0]!.score).toBeCloseTo(one[0]![0]!.score, 5);
    for (const [best, other] of answers) expect(best!.score + other!.score).toBeCloseTo(1, 5);
    expect((await classifier.evaluate(easyRows())).accuracy).toBeGreaterThan(0.9);
  });

  it("gives an answer to anything", async () => {
    const warnings: string[] = [];
    const answers = await classifier.classify(["", "x".repeat(100_000), "good ".repeat(20_000), "\ud800 broken \udc00", "\0"], { onWarning: ({ code }) => warnings.push(code) });
    expect(answers.map(([best]) => ["negative", "positive"].includes(best!.label) && Number.isFinite(best!.score))).toEqual(Array(5).fill(true));
    expect(warnings).toEqual(["TEXT_TRUNCATED"]);
    expect(await classifier.classify([])).toEqual([]);
    await expect(classifier.classify([null as unknown as string])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("counts a label that it never saw as wrong, and says so", async () => {
    const rows = easyRows().slice(0, 8);
    const known = await classifier.evaluate(rows);
    const report = await classifier.evaluate([...rows, { text: "so so", label: "mixed" }, { text: "hm", label: 3 }]);
    expect(report.accuracy).toBeCloseTo((known.accuracy * 8) / 10, 12);
    expect(report.warnings.map(({ code }) => code)).toEqual(["LABEL_NEVER_TRAINED"]);
    expect(report.confusion.labels).toEqual(["negative", "positive", "3", "mixed"]);
  });

  it("comes back from its folder with the same answers, and so does the pipeline", async () => {
    const path = join(folder, "saved");
    await classifier.savePretrained(path);
    expect(JSON.parse(await readFile(join(path, "config.json"), "utf8"))).toMatchObject({ id2label: { 0: "negative", 1: "positive" }, architectures: ["BertForSequenceClassification"] });
    const texts = easyRows().map(({ text }) => text);
    const expected = await classifier.classify(texts);
    const before = device.memory.currentBytes;
    const loaded = await TextClassifier.fromPretrained(path, { device });
    expect(loaded.maxLength).toBe(classifier.maxLength);
    expect(await loaded.classify(texts)).toEqual(expected);
    loaded.dispose();
    expect(device.memory.currentBytes).toBe(before);
    const classify = await pipeline("sentiment-analysis", path, { device });
    expect(await classify(texts)).toEqual(expected);
    expect(await classify(texts[0]!)).toHaveLength(1);
    expect(await classify(texts[0]!, { topK: 5 })).toHaveLength(2);
    classify.dispose();
    expect(device.memory.currentBytes).toBe(before);
    await expect(classify("x")).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it("answers in int8 on the CPU, nearly the same, and nowhere else", async () => {
    const texts = easyRows().map(({ text }) => text);
    const expected = await classifier.classify(texts);
    const path = join(folder, "int8");
    await classifier.savePretrained(path);
    const classify = await pipeline("sentiment-analysis", path, { int8: true, log: () => {} });
    const answers = await classify(texts);
    const sameLabel = answers.filter(([best], i) => best!.label === expected[i]![0]!.label);
    expect(sameLabel.length / texts.length).toBeGreaterThan(0.9);
    expect(answers).not.toEqual(expected);
    classify.dispose();
    const onGpu = await pipeline("sentiment-analysis", path, { int8: true, device });
    await expect(onGpu("x")).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining('open it with device "cpu"') as string });
    onGpu.dispose();
    await expect(pipeline("sentiment-analysis", classifier, { int8: true })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("savePretrained") as string });
  });

  it("is one upload, one submission and one readback a batch, and 1,000 inferences leave memory as it was", async () => {
    const texts = easyRows().map(({ text }) => text);
    await classifier.classify([texts[0]!]);
    const before = { ...device.traffic };
    await classifier.classify([texts[0]!]);
    expect({ ...device.traffic, dispatches: 0 }).toEqual({ submissions: before.submissions + 1, uploads: before.uploads + 1, readbacks: before.readbacks + 1, dispatches: 0 });
    const afterOne = { ...device.traffic };
    await classifier.classify(texts.slice(0, 41));
    expect(device.traffic.readbacks - afterOne.readbacks).toBe(3); // 32 + 8 + 1
    expect(device.traffic.uploads - afterOne.uploads).toBe(3);
    const bytes = device.memory.currentBytes;
    for (let i = 0; i < 25; i++) await classifier.classify(texts.slice(0, 40));
    expect(device.memory.currentBytes).toBe(bytes);
  });

  it("fine-tunes its own folder on other labels", async () => {
    const path = join(folder, "base");
    await classifier.savePretrained(path);
    const before = device.memory.currentBytes;
    const rows = easyRows().map(({ text, label }) => ({ text, label: label === "positive" ? 5 : text.length % 2 }));
    const tuned = await TextClassifier.fit(rows, { model: path, device, trainingArguments: { ...quick, numTrainEpochs: 12, learningRate: 2e-3 } });
    expect(tuned.labels).toEqual(["0", "1", "5"]);
    expect(tuned.summary!.plan.fineTuned).toBe(true);
    expect((await tuned.evaluate(rows)).perClass[2]!.f1).toBeGreaterThan(0.8);
    tuned.dispose();
    expect(device.memory.currentBytes).toBe(before);
  });
});

describe("stopping", () => {
  it("rejects with ABORTED, leaves a checkpoint, and a resumed run ends as one that was not stopped", async () => {
    const rows = easyRows();
    const options = { device, seed: 7, trainingArguments: { ...quick, numTrainEpochs: 2 } };
    const before = device.memory.currentBytes;
    const whole = await TextClassifier.fit(rows, options);
    const expected = await whole.classify(rows.map(({ text }) => text));
    whole.dispose();
    const outputDir = join(folder, "stopped");
    const controller = new AbortController();
    const stopped = TextClassifier.fit(rows, { ...options, outputDir, signal: controller.signal, onEvent: (event) => event.type === "step" && event.step === 6 && controller.abort() });
    await expect(stopped).rejects.toMatchObject({ code: "ABORTED", message: expect.stringContaining("checkpoint-6") });
    expect(device.memory.currentBytes).toBe(before);
    let resumedStep = -1;
    const resumed = await TextClassifier.fit(rows, { ...options, outputDir, resume: true, onEvent: (event) => event.type === "plan" && (resumedStep = event.resumedStep) });
    expect(resumedStep).toBe(6);
    expect(await resumed.classify(rows.map(({ text }) => text))).toEqual(expected);
    resumed.dispose();
    expect(device.memory.currentBytes).toBe(before);
  });

  it("stops before it starts", async () => {
    await expect(TextClassifier.fit(easyRows(), { device, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("rows that cannot teach", () => {
  it.each([
    ["no rows", [], {}, "DATA_EMPTY"],
    ["one class", [{ text: "a", label: 1 }, { text: "b", label: "1" }], {}, "ONE_CLASS_ONLY"],
    ["nothing to hold out", [{ text: "a", label: "x" }, { text: "b", label: "y" }], {}, "DATA_EMPTY"],
    ["other labels in evaluation", easyRows(), { evalRows: [{ text: "a", label: "x" }] }, "DATA_INVALID"],
    ["no such checkpoint", easyRows(), { model: "/nowhere" }, "MODEL_FOLDER_NOT_FOUND"],
  ])("%s", async (_, rows, options, code) => {
    const before = device.memory.currentBytes;
    await expect(TextClassifier.fit(rows, { device, ...options })).rejects.toMatchObject({ code });
    expect(device.memory.currentBytes).toBe(before);
  });
});
