import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { SequentialRecommender } from "./recommender.ts";
import type { FitRecommenderEvent, FitRecommenderOptions } from "./types.ts";
import { windowCollator, windowsOf } from "./windows.ts";

describe("windows", () => {
  it("cut a history into pieces, each place with what comes next", () => {
    expect(windowsOf([5, 6, 7, 8, 9, 10], 3)).toEqual([
      { inputIds: Int32Array.of(8, 9, 10), label: [9, 10, 11] },
      { inputIds: Int32Array.of(6, 7), label: [7, 8] },
    ]);
    expect(windowsOf([5], 3)).toEqual([]);
  });

  it("are padded on the left, and only labelled places are listed", () => {
    const collator = windowCollator({ maxLength: 8, numItems: 20, numNegatives: 5 });
    const context = { rowNumbers: [4, 0], batchSize: 2, training: true, seed: 1, epoch: 0 };
    const { inputIds, labels, labelPlaces, negatives } = collator(windowsOf([5, 6, 7, 8], 2), context);
    expect(inputIds).toEqual({ shape: [2, 8], data: Int32Array.of(0, 0, 0, 0, 0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 6) });
    expect([...labels!.data].slice(0, 4)).toEqual([8, 9, 7, -100]);
    expect([...labelPlaces!.data].slice(0, 3)).toEqual([6, 7, 15]);
    expect([...negatives!.data].every((item) => item >= 1 && item <= 20)).toBe(true);
    expect(collator(windowsOf([5, 6], 2), context)["negatives"]).toEqual(negatives);
    expect(collator(windowsOf([5, 6], 2), { ...context, epoch: 1 })["negatives"]).not.toEqual(negatives);
  });
});

/** Everyone goes round the same circle of items, from another one on. */
const circle = {
  userIds: Array.from({ length: 24 }, (_, user) => `user-${user}`),
  itemIds: Array.from({ length: 12 }, (_, item) => `item-${item}`),
  histories: Array.from({ length: 24 }, (_, user) => Int32Array.from({ length: 6 }, (_place, i) => (user + i) % 12)),
};
const small = { device: "cpu", maxLength: 6, hiddenSize: 16, numHiddenLayers: 1, dropout: 0.1, batchSize: 12, learningRate: 0.01, numTrainEpochs: 30, evalEpochs: 10, numNegatives: 8 } as const;

describe("SequentialRecommender.fit", () => {
  it.each(["softmax", "sampled-softmax", "gbce"] as const)("learns what comes next by %s", async (loss) => {
    const events: FitRecommenderEvent[] = [];
    using recommender = await SequentialRecommender.fit(circle, { ...small, loss, onEvent: (event) => events.push(event) });
    expect((await recommender.recommend({ history: ["item-3", "item-4", "item-5"], topK: 1 }))[0]!.itemId).toBe("item-6");
    expect((await recommender.recommend({ userId: "user-1", topK: 1 }))[0]!.itemId).toBe("item-7");
    expect(events[0]).toMatchObject({ type: "plan", numItems: 12, numWindows: 24, numValidation: 24, stepsPerEpoch: 2 });
    expect(events.filter(({ type }) => type === "epoch")).toHaveLength(30 + 8);
    expect(Math.max(...events.map((event) => (event.type === "evaluation" ? event.hitRate : 0)))).toBe(1);
  });

  it("learns the events that chose the epoch too, unless told not to", async () => {
    // Everybody's last two items are the same, and nobody touched the last one before.
    const ending = { ...circle, histories: circle.histories.map((history) => Int32Array.from([...history.subarray(0, 4).map((item) => item % 10), 10, 11])) };
    const after = async (heldOutEpochs: number) => {
      using recommender = await SequentialRecommender.fit(ending, { ...small, numTrainEpochs: 10, heldOutEpochs });
      return (await recommender.recommend({ history: ["item-1", "item-2", "item-3", "item-4", "item-10"], topK: 1 }))[0]!.itemId;
    };
    expect(await after(20)).toBe("item-11");
    expect(await after(0)).not.toBe("item-11");
  });

  it("wants somebody with two events, and stops when told", async () => {
    await expect(SequentialRecommender.fit({ ...circle, histories: circle.histories.map((history) => history.subarray(0, 1)) }, small)).rejects.toMatchObject({ code: "DATA_EMPTY" });
    const controller = new AbortController();
    const stopped = SequentialRecommender.fit(circle, { ...small, signal: controller.signal, onEvent: ({ type }) => type === "epoch" && controller.abort() });
    await expect(stopped).rejects.toMatchObject({ code: "ABORTED", message: expect.stringContaining("nothing was saved, as no outputDir was given") as string });
  });

  describe("goes on where it was stopped, and ends as if it had not been", () => {
    const folder = mkdtempSync(join(tmpdir(), "heddle-fit-"));
    afterAll(() => rmSync(folder, { recursive: true }));
    const features = new Map(circle.itemIds.map((itemId, item) => [itemId, { categories: [item < 6 ? "first" : "second"] }]));

    it.each([
      ["with features", 3, { itemFeatures: features }],
      ["in search of the best epoch", 3, {}],
      ["learning everything", 12, {}],
    ])("%s, epoch %i", async (name, stopAfter, more) => {
      const outputDir = join(folder, name);
      const run = async (options: FitRecommenderOptions) => {
        const events: FitRecommenderEvent[] = [];
        using recommender = await SequentialRecommender.fit(circle, { ...small, numTrainEpochs: 10, evalEpochs: 2, patience: 10, heldOutEpochs: 4, ...more, ...options, onEvent: (event) => (events.push(event), options.onEvent?.(event)) });
        return { events, answers: await recommender.recommend({ history: ["item-3", "item-4"], topK: 12 }) };
      };
      const whole = await run({});
      const controller = new AbortController();
      const stopped = run({ outputDir, signal: controller.signal, onEvent: (event) => event.type === "epoch" && event.epoch === stopAfter && controller.abort() });
      await expect(stopped).rejects.toMatchObject({ code: "ABORTED", message: expect.stringMatching(/go on with \{ resume: true \} from .*checkpoint-\d+$/) as string });
      await expect(run({ outputDir })).rejects.toMatchObject({ code: "FOLDER_NOT_EMPTY" });
      const { events, answers } = await run({ outputDir, resume: true });
      expect(answers).toEqual(whole.answers);
      expect(events[0]).toMatchObject({ type: "plan", resumedEpoch: Math.min(stopAfter, 10) });
      const told = (all: FitRecommenderEvent[]) => all.filter((event) => (event.type === "epoch" || event.type === "evaluation") && event.epoch > stopAfter).map((event) => ({ ...event, seconds: 0 }));
      expect(told(events)).toEqual(told(whole.events));
      expect(events).toContainEqual(whole.events.find(({ type }) => type === "chosen"));
    });
  });
});
