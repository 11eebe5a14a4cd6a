import { mkdtemp, readdir, readFile, rm, writeFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HeddleError, ReferenceDevice } from "@heddle/kernels";
import { loadModel, lockFolder } from "@heddle/transformer";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TrainingArguments } from "./arguments.ts";
import type { TrainingEvent } from "./events.ts";
import { tinyModel, tinyRows, weightsOf } from "./testing/tiny.ts";
import { Trainer, type TrainerOptions, type TrainOptions } from "./trainer.ts";

const rows = tinyRows(20);
const evalRows = tinyRows(7);
const fast = { perDeviceTrainBatchSize: 4, learningRate: 0.01, loggingSteps: 1, numTrainEpochs: 2 } satisfies Partial<TrainingArguments>;

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "heddle-trainer-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

function trainerOf(args: Partial<TrainingArguments> = {}, options: Partial<TrainerOptions> = {}) {
  const device = new ReferenceDevice();
  const model = options.model ?? tinyModel(device);
  return { device: model.device, model, trainer: new Trainer({ model, trainDataset: rows, evalDataset: evalRows, args: { ...fast, ...args }, ...options }) };
}

async function collect(trainer: Trainer, options?: TrainOptions): Promise<TrainingEvent[]> {
  const events: TrainingEvent[] = [];
  for await (const event of trainer.train(options)) events.push(event);
  return events;
}

const ofType = <T extends TrainingEvent["type"]>(events: TrainingEvent[], type: T) => events.filter((event): event is Extract<TrainingEvent, { type: T }> => event.type === type);

/** Trains until the given step and stops there, as Ctrl-C would. */
async function trainUntil(trainer: Trainer, step: number, options: TrainOptions = {}): Promise<TrainingEvent[]> {
  const stop = new AbortController();
  const events: TrainingEvent[] = [];
  for await (const event of trainer.train({ ...options, signal: stop.signal })) {
    events.push(event);
    if (event.type === "step" && event.step === step) stop.abort();
  }
  return events;
}

describe("Trainer", () => {
  it("learns, says how, and follows the schedule", async () => {
    const { trainer } = trainerOf({ numTrainEpochs: 12, evalStrategy: "epoch" });
    const events = await collect(trainer);
    expect(events[0]).toMatchObject({ type: "start", totalSteps: 60, stepsPerEpoch: 5, resumedStep: 0 });
    const steps = ofType(events, "step");
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(steps[0]!.learningRate).toBe(0.01);
    expect(steps.at(-1)!.learningRate).toBeCloseTo(0.01 / 60, 10);
    expect(steps.at(-1)!.epoch).toBe(12);
    expect(steps.every(({ gradNorm, tokensPerSecond }) => gradNorm > 0 && tokensPerSecond > 0)).toBe(true);
    const losses = ofType(events, "evaluate").map(({ metrics }) => metrics["loss"]!);
    expect(losses).toHaveLength(12);
    expect(losses.at(-1)!).toBeLessThan(losses[0]! / 2);
    expect(ofType(events, "evaluate").at(-1)!.metrics["accuracy"]).toBe(1);
    expect(events.at(-1)).toMatchObject({ type: "end", step: 60 });
  });

  it("logs the mean loss of the steps between", async () => {
    const each = ofType(await collect(trainerOf().trainer), "step");
    const grouped = ofType(await collect(trainerOf({ loggingSteps: 4 }).trainer), "step");
    expect(grouped.map(({ step }) => step)).toEqual([4, 8, 10]);
    const mean = (from: number, to: number) => each.slice(from, to).reduce((total, { loss }) => total + loss, 0) / (to - from);
    [mean(0, 4), mean(4, 8), mean(8, 10)].forEach((wanted, i) => expect(grouped[i]!.loss).toBeCloseTo(wanted, 5));
  });

  it("does the same for the same seed and not for another", async () => {
    const run = async (seed: number) => {
      const { trainer, model } = trainerOf({ seed });
      await collect(trainer);
      return weightsOf(model);
    };
    const first = await run(1);
    expect(await run(1)).toEqual(first);
    expect(await run(2)).not.toEqual(first);
  });

  it("averages gradients over batches as one larger batch would", async () => {
    // 16 rows: whole batches only. In f64, as AdamW makes steps of rounding errors where the true gradient is 0 (key biases).
    const train = async (args: Partial<TrainingArguments>) => {
      const { trainer, model } = trainerOf({ ...args, maxSteps: 4, groupByLength: false }, { model: tinyModel(new ReferenceDevice("f64"), { dropout: 0 }), trainDataset: rows.slice(0, 16) });
      const events = await collect(trainer);
      return { weights: await weightsOf(model), losses: ofType(events, "step").map(({ loss }) => loss) };
    };
    const whole = await train({ perDeviceTrainBatchSize: 8 });
    const parts = await train({ perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2 });
    whole.losses.forEach((loss, i) => expect(parts.losses[i]).toBeCloseTo(loss, 6));
    for (const [name, values] of Object.entries(whole.weights)) values.forEach((value, i) => expect(Math.abs(parts.weights[name]![i]! - value), name).toBeLessThan(1e-6));
  });

  it("decays what it should", async () => {
    const train = async (weightDecay: number) => {
      const { trainer, model } = trainerOf({ weightDecay, maxSteps: 1, maxGradNorm: 0 });
      await collect(trainer);
      return weightsOf(model);
    };
    const [without, decayed] = [await train(0), await train(0.5)];
    const changed = Object.keys(without).filter((name) => without[name]!.some((value, i) => value !== decayed[name]![i]));
    expect(changed.length).toBeGreaterThan(5);
    expect(changed.some((name) => name.endsWith("bias") || name.includes("LayerNorm"))).toBe(false);
  });

  it("stops at a loss that is not finite and names the step", async () => {
    const { trainer, model } = trainerOf({ numTrainEpochs: 40, loggingSteps: 500 });
    const error = await (async () => {
      let seen = 0;
      const write = () => model.parameters.get("classifier.bias")!.write(Float32Array.of(NaN, 0));
      const poisoned = new Trainer({ model, trainDataset: rows, args: { ...fast, numTrainEpochs: 40, loggingSteps: 500 }, dataCollator: (batchRows, context) => (context.training && ++seen === 5 + 1 + 6 ? (write(), trainer["collator"](batchRows, context)) : trainer["collator"](batchRows, context)) });
      await collect(poisoned);
    })().catch((caught: unknown) => caught);
    expect(HeddleError.isInstance(error) && error.code).toBe("TRAINING_DIVERGED");
    // 5 batches and the longest row are collated before the first step; the 6th step's batch spoils the weights.
    expect(String(error)).toMatch(/not finite at step 6; lower learningRate \(now 0.01\)/);
  });

  it("keeps the best weights in memory where it has no folder", async () => {
    const scores = [0.2, 0.9, 0.5];
    const kept: Record<string, number[]>[] = [];
    const { trainer, model } = trainerOf({ numTrainEpochs: 3, evalStrategy: "epoch", loadBestModelAtEnd: true, metricForBestModel: "score" }, { computeMetrics: () => ({ score: scores[kept.length]! }) });
    for await (const event of trainer.train()) if (event.type === "evaluate") kept.push(await weightsOf(model));
    expect(await weightsOf(model)).toEqual(kept[1]);
    expect(kept[1]).not.toEqual(kept[2]);
    await expect(collect(trainerOf({ evalStrategy: "epoch", loadBestModelAtEnd: true, metricForBestModel: "bleu" }).trainer)).rejects.toThrow(/metricForBestModel is bleu, but computeMetrics gives loss, accuracy/);
  });

  it("ends after so many evaluations without a better one, measured as the caller wants", async () => {
    const scores = [0.2, 0.9, 0.5, 0.9, 0.95];
    let evaluation = 0;
    const choosing = { evalStrategy: "epoch", loadBestModelAtEnd: true, metricForBestModel: "score" } as const;
    const { trainer } = trainerOf({ numTrainEpochs: 5, ...choosing }, { evalDataset: [], evaluate: async () => ({ score: scores[evaluation++]! }), earlyStoppingPatience: 2 });
    const events = await collect(trainer);
    expect(ofType(events, "evaluate").map(({ isBest }) => isBest)).toEqual([true, true, false, false]);
    expect(events.at(-1)).toMatchObject({ type: "end", step: 20, bestMetric: 0.9, bestStep: 10 });
    const equal = [[0.5, 2], [0.9, 3], [0.9, 1], [0.9, 2]].map(([score, loss]) => ({ score: score!, loss: loss! }));
    const tied = await collect(trainerOf({ numTrainEpochs: 4, ...choosing }, { evaluate: async () => equal.shift()! }).trainer);
    expect(ofType(tied, "evaluate").map(({ isBest }) => isBest)).toEqual([true, true, true, false]);
    expect(() => trainerOf({ evalStrategy: "epoch" }, { earlyStoppingPatience: 2 })).toThrow(/counts evaluations without a better one: set loadBestModelAtEnd/);
    expect(() => trainerOf(choosing, { earlyStoppingPatience: 0 })).toThrow(/must be a whole number of at least 1, it is 0/);
  });

  it("ends with the moving average of the weights when asked to", async () => {
    const { trainer, model } = trainerOf({ maxSteps: 3 }, { emaDecay: 0.5 });
    const plain = trainerOf({ maxSteps: 3 });
    const average = await weightsOf(model);
    for await (const event of plain.trainer.train()) {
      if (event.type !== "step") continue;
      for (const [name, values] of Object.entries(await weightsOf(plain.model))) values.forEach((value, i) => (average[name]![i] = Math.fround(Math.fround(average[name]![i]! * 0.5) + Math.fround(value * 0.5))));
    }
    await collect(trainer);
    const ended = await weightsOf(model);
    for (const [name, values] of Object.entries(average)) values.forEach((value, i) => expect(ended[name]![i], name).toBeCloseTo(value, 6));
  });

  it("refuses what cannot be trained before the first step", async () => {
    await expect(collect(trainerOf({}, { trainDataset: [] }).trainer)).rejects.toThrow(/trainDataset has no rows/);
    await expect(collect(trainerOf({}, { trainDataset: [...rows, { inputIds: Int32Array.of(1), label: 2 }] }).trainer)).rejects.toThrow(/label 2 is not a class id of 0 … 1/);
    expect(() => trainerOf({ evalStrategy: "epoch" }, { evalDataset: [] })).toThrow(/evalDataset has no rows/);
    await expect(trainerOf({}, { evalDataset: [] }).trainer.evaluate()).rejects.toThrow(/no rows to evaluate/);
  });

  it("leaves no memory behind", async () => {
    const { trainer, device } = trainerOf({ maxSteps: 200, loggingSteps: 50, evalStrategy: "steps", gradientAccumulationSteps: 2 }, { emaDecay: 0.9 });
    const before = device.memory.currentBytes;
    await collect(trainer);
    trainer.dispose();
    expect(device.memory.currentBytes).toBe(before);
  });
});

describe("checkpoints", () => {
  const saving = { outputDir: "", saveStrategy: "steps", saveSteps: 3 } as const;
  const saved = async () => (await readdir(folder)).sort();

  it("saves what loads as a model, and nothing half-written stays", async () => {
    const { trainer, model } = trainerOf({ ...saving, outputDir: folder }, { files: { "tokenizer.json": { version: "1.0" } } });
    const saves = ofType(await collect(trainer), "save");
    expect(saves.map(({ step }) => step)).toEqual([3, 6, 9, 10]);
    expect(await saved()).toEqual(["checkpoint-10", "checkpoint-3", "checkpoint-6", "checkpoint-9"]);
    expect((await readdir(join(folder, "checkpoint-10"))).sort()).toEqual(["config.json", "model.safetensors", "optimizer.safetensors", "tokenizer.json", "trainer_state.json"]);
    const { model: loaded, missing } = await loadModel(new ReferenceDevice(), join(folder, "checkpoint-10"));
    expect(missing).toEqual([]);
    expect(await weightsOf(loaded)).toEqual(await weightsOf(model));
    const state = JSON.parse(await readFile(join(folder, "checkpoint-6", "trainer_state.json"), "utf8"));
    expect(state).toMatchObject({ global_step: 6, max_steps: 10, epoch: 1.2, heddle: { data_position: { epoch: 1, batch: 1, seed: 42 } } });
    expect(state.log_history).toHaveLength(6);
  });

  it("keeps the newest and the best", async () => {
    const scores = [0.1, 0.9, 0.3, 0.4, 0.5];
    let evaluation = 0;
    const { trainer, model } = trainerOf({ ...saving, outputDir: folder, saveSteps: 2, evalStrategy: "steps", evalSteps: 2, saveTotalLimit: 2, loadBestModelAtEnd: true, metricForBestModel: "score" }, { computeMetrics: () => ({ score: scores[evaluation++]! }) });
    const end = (await collect(trainer)).at(-1)!;
    expect(await saved()).toEqual(["checkpoint-10", "checkpoint-4"]);
    expect(end).toMatchObject({ bestMetric: 0.9, bestModelCheckpoint: join(folder, "checkpoint-4") });
    const { model: best } = await loadModel(new ReferenceDevice(), join(folder, "checkpoint-4"));
    expect(await weightsOf(model)).toEqual(await weightsOf(best));
  });

  it("knows when it goes on which evaluation was the best, and how long ago", async () => {
    const args = { ...saving, outputDir: folder, numTrainEpochs: 9, saveSteps: 2, evalStrategy: "steps", evalSteps: 2, saveTotalLimit: 1, loadBestModelAtEnd: true, metricForBestModel: "score" } as const;
    const scores = [0.1, 0.9, 0.3, 0.4, 0.5];
    const run = (seen: number) => trainerOf(args, { evaluate: async () => ({ score: scores[seen++]! }), earlyStoppingPatience: 3 });
    expect((await trainUntil(run(0).trainer, 7)).at(-1)).toMatchObject({ type: "aborted", step: 7 });
    const { trainer, model } = run(3);
    const events = await collect(trainer, { resumeFromCheckpoint: true });
    expect(ofType(events, "evaluate").map(({ step, isBest }) => [step, isBest])).toEqual([[8, false], [10, false]]);
    expect(events.at(-1)).toMatchObject({ type: "end", step: 10, bestMetric: 0.9, bestStep: 4 });
    expect(await weightsOf(model)).toEqual(await weightsOf((await loadModel(new ReferenceDevice(), join(folder, "checkpoint-4"))).model));
    // A run that is over is over.
    expect((await collect(run(5).trainer, { resumeFromCheckpoint: true })).map(({ type }) => type)).toEqual(["start", "end"]);
  });

  const variants: [string, Partial<TrainingArguments>, Partial<TrainerOptions>][] = [
    ["plain", {}, {}],
    ["accumulating, grouped by length, label smoothing", { gradientAccumulationSteps: 2, numTrainEpochs: 4, groupByLength: true, labelSmoothingFactor: 0.1, lrSchedulerType: "cosine", warmupRatio: 0.3, weightDecay: 0.1 }, {}],
    ["averaging, token dropout, class weights", {}, { emaDecay: 0.9, tokenDropout: { maskTokenProbability: 0.3, replacementId: 2, specialTokenIds: [1] }, lossOptions: { classWeights: [1, 2] } }],
  ];
  it.each(variants)("resumes to the same run, bit for bit (%s)", async (_, args, options) => {
    const whole = trainerOf(args, options);
    const wantedEvents = ofType(await collect(whole.trainer), "step");
    const wanted = await weightsOf(whole.model);
    for (const stopAt of [1, 4, 7]) {
      const outputDir = join(folder, `stop-${stopAt}`);
      const first = trainerOf({ ...args, outputDir }, options);
      const stopped = await trainUntil(first.trainer, stopAt);
      expect(stopped.at(-1)).toEqual({ type: "aborted", step: stopAt, checkpoint: join(outputDir, `checkpoint-${stopAt}`) });
      const second = trainerOf({ ...args, outputDir }, { ...options, model: tinyModel(new ReferenceDevice(), { seed: 99 }) });
      const events = await collect(second.trainer, { resumeFromCheckpoint: true });
      expect(events[0]).toMatchObject({ type: "start", resumedStep: stopAt });
      expect(ofType(events, "step").map(({ loss }) => loss)).toEqual(wantedEvents.slice(stopAt).map(({ loss }) => loss));
      expect(await weightsOf(second.model)).toEqual(wanted);
    }
  });

  it("goes on with the running mean of the loss and with the evaluation it was stopped in", async () => {
    const args = { outputDir: folder, loggingSteps: 5, evalStrategy: "epoch", saveStrategy: "epoch", loadBestModelAtEnd: true } as const;
    const wanted = await collect(trainerOf({ ...args, outputDir: join(folder, "whole") }).trainer);
    const stop = new AbortController();
    const { trainer } = trainerOf({ ...args, outputDir: join(folder, "parts") });
    const before: TrainingEvent[] = [];
    // Stopped right after step 5's event: its evaluation is due.
    for await (const event of trainer.train({ signal: stop.signal })) {
      before.push(event);
      if (event.type === "step") stop.abort();
    }
    expect(before.map(({ type }) => type)).toEqual(["start", "step", "aborted"]);
    const after = await collect(trainerOf({ ...args, outputDir: join(folder, "parts") }).trainer, { resumeFromCheckpoint: true });
    expect(after.map(({ type }) => type)).toEqual(["start", "evaluate", "save", "step", "evaluate", "save", "end"]);
    const numbers = (events: TrainingEvent[]) => events.flatMap((event) => (event.type === "step" ? [event.loss] : event.type === "evaluate" ? [event.metrics["loss"]] : []));
    expect(numbers([...before, ...after])).toEqual(numbers(wanted));
  });

  it("starts anew on auto without a checkpoint, and says so on true", async () => {
    await expect(collect(trainerOf({ outputDir: folder }).trainer, { resumeFromCheckpoint: true })).rejects.toThrow(expect.objectContaining({ code: "CHECKPOINT_NOT_FOUND" }));
    expect((await collect(trainerOf({ outputDir: folder }).trainer, { resumeFromCheckpoint: "auto" }))[0]).toMatchObject({ resumedStep: 0 });
    await expect(collect(trainerOf().trainer, { resumeFromCheckpoint: folder })).rejects.toThrow(/has no config.json; pass a checkpoint-N folder/);
  });

  it("refuses another run's checkpoint and says what differs", async () => {
    await trainUntil(trainerOf({ outputDir: folder }).trainer, 3);
    const resume = (args: Partial<TrainingArguments>, options: Partial<TrainerOptions> = {}) => collect(trainerOf({ outputDir: folder, ...args }, options).trainer, { resumeFromCheckpoint: true });
    await expect(resume({ learningRate: 0.02 })).rejects.toThrow(/was trained with learningRate 0.01, now it is 0.02; set it back/);
    await expect(resume({}, { trainDataset: tinyRows(21) })).rejects.toThrow(/was trained on other data/);
    await expect(resume({}, { emaDecay: 0.9 })).rejects.toThrow(/emaDecay null, now it is 0.9/);
    await expect(resume({}, { model: tinyModel(new ReferenceDevice(), { labels: ["a", "b", "c"] }) })).rejects.toThrow(/was trained with id2label \{"0":"no","1":"yes"\}, the model has \{"0":"a"/);
    await expect(resume({}, { model: tinyModel(new ReferenceDevice(), { dropout: 0.3 }) })).rejects.toThrow(/was trained with hidden_dropout_prob 0.1, the model has 0.3; set it back/);
    await expect(collect(trainerOf({ outputDir: folder }).trainer)).rejects.toThrow(expect.objectContaining({ code: "FOLDER_NOT_EMPTY" }));
    await writeFile(join(folder, "checkpoint-3", "trainer_state.json"), "{");
    await expect(resume({})).rejects.toThrow(expect.objectContaining({ code: "CHECKPOINT_INVALID" }));
  });

  it("clears away what a killed run left, and never takes it for a checkpoint", async () => {
    await mkdir(join(folder, ".checkpoint-7.heddle-tmp-new-1234"));
    await mkdir(join(folder, "checkpoint-8"));
    await writeFile(join(folder, "mine.txt"), "");
    await collect(trainerOf({ outputDir: folder }).trainer);
    expect(await saved()).toEqual(["checkpoint-8", "mine.txt"]);
  });

  it("gives a folder to one run at a time", async () => {
    const lock = await lockFolder(folder);
    await expect(collect(trainerOf({ outputDir: folder }).trainer)).rejects.toThrow(expect.objectContaining({ code: "FOLDER_IN_USE" }));
    await lock.release();
    const generator = trainerOf({ outputDir: folder }).trainer.train();
    await generator.next();
    await expect(collect(trainerOf({ outputDir: folder }).trainer)).rejects.toThrow(expect.objectContaining({ code: "FOLDER_IN_USE" }));
    await generator.return();
    await collect(trainerOf({ outputDir: folder }).trainer);
  });

  it("reports a folder that cannot be written and leaves the weights alone", async () => {
    await writeFile(join(folder, "file"), "");
    const { trainer, model } = trainerOf({ outputDir: join(folder, "file", "out") });
    const before = await weightsOf(model);
    await expect(collect(trainer)).rejects.toThrow(expect.objectContaining({ code: "FOLDER_NOT_WRITABLE" }));
    expect(await weightsOf(model)).toEqual(before);
  });
});
