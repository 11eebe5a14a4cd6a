import type { FitPlanEvent } from "@heddle/tasks";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { Session } from "../session/session.ts";
import { screen, type Terminal } from "../session/terminal.ts";
import { duration, fileSize, oneLine, percent, shellQuote } from "./format.ts";
import { loadingProgress } from "./loading-progress.ts";
import { columns } from "./table.ts";
import { TrainingProgress } from "./training-progress.ts";

describe("formats", () => {
  it("are short and never wrong at the edges", () => {
    expect([percent(1), percent(0.8049), percent(NaN)]).toEqual(["100.0 %", "80.5 %", "–"]);
    expect([duration(0), duration(59.6), duration(750), duration(3723)]).toEqual(["0:00", "1:00", "12:30", "1:02:03"]);
    expect([fileSize(0), fileSize(999), fileSize(1000), fileSize(999_499), fileSize(999_500), fileSize(90_287_352)]).toEqual(["0 B", "999 B", "1 kB", "999 kB", "1.0 MB", "90.3 MB"]);
    expect([oneLine(" a\n\tb "), oneLine("很好很好", 3)]).toEqual(["a b", "很好…"]);
    expect([shellQuote("a/b.csv"), shellQuote("it's a text"), shellQuote("")]).toEqual(["a/b.csv", `'it'\\''s a text'`, "''"]);
  });

  it("align wide characters", () => {
    expect(columns([["好", "1"], ["abc", "22"]])).toBe("好    1\nabc  22\n");
  });
});

const plan: FitPlanEvent = { type: "plan", device: "a device", labels: ["a", "b"], numTrainRows: 90, numEvalRows: 10, majorityAccuracy: 0.5, numParameters: 1000, vocabSize: 100, maxLength: 16, numTrainEpochs: 2, totalSteps: 100, resumedStep: 0, batchSize: 8, learningRate: 0.001, peakBytes: 5e6, fineTuned: false };

function progressOn(stream: { isTTY: boolean; columns?: number; env?: Terminal["env"] }): { progress: TrainingProgress; session: Session; text: () => string; wait: (ms: number) => void; nowMs: () => number } {
  let [all, nowMs] = ["", 0];
  const sink = new PassThrough().on("data", (chunk: Buffer) => (all += chunk.toString()));
  const env = stream.env ?? { NO_COLOR: "1" };
  const err = screen(Object.assign(sink, stream), env);
  const session = new Session({ stdin: new PassThrough(), out: err, err, env, args: [] }, { seed: 1 }, new AbortController().signal);
  return { progress: new TrainingProgress(session, () => nowMs), session, nowMs: () => nowMs, text: () => all, wait: (ms) => void (nowMs += ms) };
}

const step = (number: number) => ({ type: "step", step: number, totalSteps: 100, epoch: number / 50, loss: 0.5, learningRate: 0.001, tokensPerSecond: 1234 }) as const;

describe("the progress of a training run", () => {
  it("is a bar that fits its terminal, with the time that is left", () => {
    for (const width of [20, 40, 80, 200]) {
      const { progress, text, wait } = progressOn({ isTTY: true, columns: width });
      progress.handle(plan);
      wait(10_000);
      progress.handle(step(25));
      const bar = text().split("\u001b[K").at(-1)!;
      expect(bar.length).toBeLessThan(width);
      expect(bar).toContain("step 25/100");
      if (width >= 80) expect(bar).toMatch(/^━+─+ {2}step 25\/100 {2}loss 0\.5000 {2}1,234 tokens\/s {2}0:30 left$/);
    }
  });

  it("is a line now and then in a log, and the last step always", () => {
    const { progress, text, wait } = progressOn({ isTTY: false });
    progress.handle(plan);
    for (let number = 10; number <= 100; number += 10) {
      wait(2000);
      progress.handle(step(number));
    }
    expect(text().match(/step \d+\/100/g)).toEqual(["step 10/100", "step 90/100", "step 100/100"]);
    expect(text()).not.toContain("\u001b");
  });
});

describe("the progress of a download", () => {
  const file = `onnx/model-${"x".repeat(60)}-00001-of-00002.safetensors`;
  const received = (receivedBytes: number) => ({ type: "download", file, receivedBytes, totalBytes: 90_000_000 }) as const;

  it("is a bar that fits its terminal, with the rate of this time alone and the time that is left", () => {
    for (const width of [16, 40, 80, 200]) {
      const { session, text, wait, nowMs } = progressOn({ isTTY: true, columns: width });
      const show = loadingProgress(session, nowMs);
      show(received(30_000_000)); // of an earlier time
      for (let i = 1; i <= 2000; i++) {
        wait(1);
        show(received(30_000_000 + 10_000 * i));
      }
      const drawn = text().split("\u001b[K").slice(1);
      for (const line of drawn) expect(line.replace("\r", "").length).toBeLessThan(width);
      expect(drawn.length).toBeLessThan(25);
      if (width === 200) expect(drawn.at(-1)).toMatch(/^━+─+ {2}model-x+…f-00002\.safetensors {2}50\.0 MB of 90\.0 MB {2}10\.0 MB\/s {2}0:04 left$/);
    }
  });

  it("is a line in a log for a large file", () => {
    const { session, text } = progressOn({ isTTY: false });
    const show = loadingProgress(session);
    for (const bytes of [0, 50, 90_000_000]) show(received(bytes));
    expect(text()).toBe(`downloading ${file}, 90.0 MB …\n`);
  });
});

describe("a status", () => {
  it("is cut where it does not fit", () => {
    const { session, text } = progressOn({ isTTY: true, columns: 10 });
    session.status.update("measuring matmul");
    expect(text()).toBe("\r\u001b[Kmeasurin…");
  });
});

describe("colours", () => {
  it("follow NO_COLOR, the terminal and FORCE_COLOR", () => {
    const hasColors = (isTTY: boolean, env: Terminal["env"]): boolean => screen(Object.assign(new PassThrough(), { isTTY }), env).colors.isColorSupported;
    expect([hasColors(true, {}), hasColors(true, { NO_COLOR: "1" }), hasColors(true, { TERM: "dumb" }), hasColors(false, {}), hasColors(false, { FORCE_COLOR: "1" })]).toEqual([true, false, false, false, true]);
  });
});
