import { describe, expect, it } from "vitest";
import { evalInterval, isBetter, resolveTrainingArguments, type TrainingArguments } from "./arguments.ts";

describe("resolveTrainingArguments", () => {
  it("has Hugging Face's defaults", () => {
    expect(resolveTrainingArguments()).toMatchObject({
      numTrainEpochs: 3, maxSteps: -1, perDeviceTrainBatchSize: 8, perDeviceEvalBatchSize: 8, learningRate: 5e-5, weightDecay: 0,
      adamBeta1: 0.9, adamBeta2: 0.999, adamEpsilon: 1e-8, maxGradNorm: 1, lrSchedulerType: "linear", warmupRatio: 0, warmupSteps: 0,
      loggingSteps: 500, saveSteps: 500, gradientAccumulationSteps: 1, seed: 42, labelSmoothingFactor: 0, evalStrategy: "no",
    });
  });

  it("takes undefined as not given", () => {
    expect(resolveTrainingArguments({ learningRate: undefined, seed: 7 })).toMatchObject({ learningRate: 5e-5, seed: 7 });
  });

  it.each<[Partial<TrainingArguments>, RegExp]>([
    [{ learningRate: NaN }, /learningRate must be a finite number of at least 0, it is NaN/],
    [{ learningRate: -1e-5 }, /learningRate must be/],
    [{ learningRate: Infinity }, /learningRate must be/],
    [{ perDeviceTrainBatchSize: 0 }, /perDeviceTrainBatchSize must be a whole number of at least 1, it is 0/],
    [{ perDeviceEvalBatchSize: 1.5 }, /perDeviceEvalBatchSize/],
    [{ numTrainEpochs: 0 }, /numTrainEpochs/],
    [{ maxSteps: 0 }, /maxSteps must be a whole number above 0, or -1/],
    [{ warmupRatio: 1.1 }, /warmupRatio/],
    [{ adamBeta2: 1 }, /adamBeta2/],
    [{ seed: -1 }, /seed/],
    [{ saveTotalLimit: 0 }, /saveTotalLimit/],
    [{ lrSchedulerType: "polynomial" as "linear" }, /lrSchedulerType must be one of linear, cosine/],
    [{ saveStrategy: "epoch" }, /there is no outputDir; give a folder/],
    [{ loadBestModelAtEnd: true }, /loadBestModelAtEnd needs evaluations; set evalStrategy/],
    [{ loadBestModelAtEnd: true, outputDir: "x", evalStrategy: "epoch" }, /set both to the same/],
    [{ loadBestModelAtEnd: true, outputDir: "x", evalStrategy: "steps", evalSteps: 4, saveStrategy: "steps", saveSteps: 6 }, /saveSteps \(6\) to be a multiple of evalSteps \(4\)/],
    [{ learningrate: 1 } as Partial<TrainingArguments>, /there is no learningrate; known are .*learningRate/],
  ])("refuses %j", (options, message) => {
    expect(() => resolveTrainingArguments(options)).toThrow(message);
    expect(() => resolveTrainingArguments(options)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("allows the best weights to be kept in memory where there is no folder", () => {
    expect(resolveTrainingArguments({ loadBestModelAtEnd: true, evalStrategy: "epoch" }).loadBestModelAtEnd).toBe(true);
  });

  it("evaluates as often as it logs unless told otherwise, and knows which way a metric is better", () => {
    expect(evalInterval(resolveTrainingArguments({ loggingSteps: 20 }))).toBe(20);
    expect(evalInterval(resolveTrainingArguments({ loggingSteps: 20, evalSteps: 5 }))).toBe(5);
    const byLoss = resolveTrainingArguments();
    const byF1 = resolveTrainingArguments({ metricForBestModel: "f1" });
    expect([isBetter(byLoss, 1, 2), isBetter(byLoss, 2, 1), isBetter(byF1, 1, 2), isBetter(byF1, 2, 1), isBetter(byF1, 0, null)]).toEqual([true, false, false, true, true]);
    expect(isBetter(resolveTrainingArguments({ metricForBestModel: "perplexity", greaterIsBetter: false }), 1, 2)).toBe(true);
  });
});
