import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HeddleError, ReferenceDevice, WebGpuDevice, type HostTensor } from "@heddle/kernels";
import { loadModel, openFileSource, SafetensorsReader } from "@heddle/transformer";
import { describe, expect, it } from "vitest";
import type { TrainingArguments } from "./arguments.ts";
import { tinyModel, tinyRows, weightsOf } from "./testing/tiny.ts";
import { testDevice } from "./testing/devices.ts";
import { Trainer, type TrainerOptions } from "./trainer.ts";

const shared = process.env["HEDDLE_SHARED"] ?? fileURLToPath(new URL("../../../../shared", import.meta.url));
const rows = tinyRows(40);
const fast: Partial<TrainingArguments> = { perDeviceTrainBatchSize: 4, learningRate: 0.01, numTrainEpochs: 2, loggingSteps: 100 };

const devices = [await testDevice("webgpu"), await testDevice("cpu")];

describe.each(devices)("Trainer on $kind", (device) => {
  const trainerOf = (args: Partial<TrainingArguments>, options: Partial<TrainerOptions> = {}) => {
    const model = options.model ?? tinyModel(device);
    return { model, trainer: new Trainer({ model, trainDataset: rows, evalDataset: rows.slice(0, 7), args: { ...fast, ...args }, ...options }) };
  };

  it("follows the reference interpreter", async () => {
    const losses = async (model: Parameters<typeof trainerOf>[1]) => {
      const { trainer } = trainerOf({ loggingSteps: 1 }, model);
      const seen: number[] = [];
      for await (const event of trainer.train()) if (event.type === "step") seen.push(event.loss);
      trainer.dispose();
      return seen;
    };
    const model = tinyModel(device);
    const [gpu, reference] = [await losses({ model }), await losses({ model: tinyModel(new ReferenceDevice()) })];
    expect(gpu).toHaveLength(20);
    gpu.forEach((loss, step) => expect(Math.abs(loss / reference[step]! - 1), `step ${step}`).toBeLessThan(1e-3));
    model.dispose();
  });

  it.runIf(device instanceof WebGpuDevice)("takes one submission and one upload a step, reads back now and then, and evaluates with one of each a batch", async () => {
    const { trainer, model } = trainerOf({ numTrainEpochs: 4, groupByLength: true });
    const { traffic } = device as WebGpuDevice;
    const before = { ...traffic };
    let read = 0;
    for await (const event of trainer.train()) {
      if (event.type === "start") Object.assign(before, traffic);
      if (event.type === "step") read = traffic.readbacks - before.readbacks;
    }
    expect(traffic.submissions - before.submissions).toBe(40);
    expect(traffic.uploads - before.uploads).toBe(40);
    // The first step, to learn its time; the last, to log; in between at least once in 32 steps, to notice a divergence.
    expect(read).toBeGreaterThanOrEqual(3);
    expect(read).toBeLessThan(40);
    const evaluating = { ...traffic };
    await trainer.evaluate(rows.slice(0, 20));
    for (const counted of ["submissions", "uploads", "readbacks"] as const) expect(traffic[counted] - evaluating[counted], counted).toBe(3);
    trainer.dispose();
    model.dispose();
  });

  it("leaves the byte count where it began after 200 steps", async () => {
    const start = device.memory.currentBytes;
    const { trainer, model } = trainerOf({ maxSteps: 200, evalStrategy: "steps", gradientAccumulationSteps: 2 }, { emaDecay: 0.9 });
    const loaded = device.memory.currentBytes;
    for await (const _ of trainer.train());
    trainer.dispose();
    expect(device.memory.currentBytes).toBe(loaded);
    model.dispose();
    expect(device.memory.currentBytes).toBe(start);
  });

  it("resumes to the same run, bit for bit", async () => {
    const folder = await mkdtemp(join(tmpdir(), "heddle-webgpu-"));
    const options = { emaDecay: 0.9 };
    const finish = async (args: Partial<TrainingArguments>, stopAt: number, resume: boolean) => {
      const { trainer, model } = trainerOf({ ...args, loggingSteps: 1, groupByLength: true }, { ...options, model: tinyModel(device, { seed: resume ? 77 : 1 }) });
      const stop = new AbortController();
      for await (const event of trainer.train({ signal: stop.signal, resumeFromCheckpoint: resume })) if (event.type === "step" && event.step === stopAt) stop.abort();
      const weights = await weightsOf(model);
      trainer.dispose();
      model.dispose();
      return weights;
    };
    try {
      const whole = await finish({}, -1, false);
      await finish({ outputDir: folder }, 7, false);
      expect(await finish({ outputDir: folder }, -1, true)).toEqual(whole);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("swaps averaged weights in and out exactly, and stops at NaN", async () => {
    const model = tinyModel(device);
    let scored: Record<string, number[]>[] = [];
    const { trainer } = trainerOf({ maxSteps: 2, evalStrategy: "steps", evalSteps: 1, loggingSteps: 1 }, { model, emaDecay: 0, computeMetrics: () => ({ one: 1 }) });
    // emaDecay 0 makes the average the weights themselves, so every swap must be invisible.
    const plain = trainerOf({ maxSteps: 2 });
    for await (const event of trainer.train()) if (event.type === "evaluate") scored = [...scored, await weightsOf(model)];
    for await (const _ of plain.trainer.train());
    expect(await weightsOf(model)).toEqual(await weightsOf(plain.model));
    expect(scored).toHaveLength(2);
    model.parameters.get("classifier.weight")!.write(new Float32Array(16).fill(NaN));
    const error = await (async () => {
      for await (const _ of trainerOf({ maxSteps: 40 }, { model }).trainer.train());
    })().catch((caught: unknown) => caught);
    expect(HeddleError.isInstance(error) && error.code).toBe("TRAINING_DIVERGED");
    expect(String(error)).toMatch(/not finite at step 1;/);
    plain.model.dispose();
    model.dispose();
  });
});

// 50 and 30 steps of torch.optim.AdamW on one batch, through the public API: the trainer decays every parameter, as the cases do.
describe.each(devices)("golden loss curves on $kind", (device) => {
  it.each(["bert-sequence", "bert-mlm"])("%s within 1e-3 at every step", async (name) => {
    const folder = join(shared, "golden", "cases", name);
    if (!existsSync(folder)) {
      console.warn(`${folder} is not there: the loss curve of ${name} was not checked. Set HEDDLE_SHARED.`);
      return;
    }
    const golden = JSON.parse(await readFile(join(folder, "case.json"), "utf8")) as { train: { losses: number[]; hyperparameters: { steps: number } } };
    const reader = await SafetensorsReader.open(await openFileSource(join(folder, "golden.safetensors")));
    const tensor = async (key: string): Promise<HostTensor> => {
      const { shape, data } = await reader.read(key);
      return { shape, data };
    };
    const batch = { inputIds: await tensor("in.input_ids"), attentionMask: await tensor("in.attention_mask"), tokenTypeIds: await tensor("in.token_type_ids"), labels: await tensor("in.labels") };
    await reader.close();
    const { model } = await loadModel(device, folder);
    const trainer = new Trainer({
      model,
      // One row stands for the whole batch, which the collator supplies as it is.
      trainDataset: [{ inputIds: Int32Array.of(0) }],
      dataCollator: () => batch,
      decayParameters: () => true,
      args: { maxSteps: golden.train.hyperparameters.steps, learningRate: 1e-3, lrSchedulerType: "constant", weightDecay: 0.01, loggingSteps: 1 },
    });
    const losses: number[] = [];
    for await (const event of trainer.train()) if (event.type === "step") losses.push(event.loss);
    expect(losses).toHaveLength(golden.train.losses.length);
    losses.forEach((loss, step) => expect(Math.abs(loss / golden.train.losses[step]! - 1), `step ${step}`).toBeLessThan(1e-3));
    trainer.dispose();
    model.dispose();
  });
});
