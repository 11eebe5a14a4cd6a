import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyCsv, tinyTraining } from "../testing/reviews.ts";
import { run, type Finished } from "../testing/run.ts";

let scratch: string;
let model: string;
let data: string;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "heddle-predict-"));
  model = join(scratch, "model");
  data = join(scratch, "reviews.csv");
  writeFileSync(data, tinyCsv);
  const { exitCode, err } = await run(["train", "--data", data, "--text", "text", "--label", "label", "--output", model, ...tinyTraining]);
  expect(exitCode, err).toBe(0);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const predict = (args: readonly string[], stdin?: string): Promise<Finished> => run(["predict", "--model", model, "--device", "reference", ...args], { stdin });

describe("heddle predict", () => {
  it("answers arguments, lines and a file's column alike, one JSON line a text", async () => {
    const texts = ["loved it", "", "never again"];
    const fromArguments = await predict(["--json", ...texts]);
    expect(fromArguments.exitCode, fromArguments.err).toBe(0);
    expect(fromArguments.lines.map(({ text }) => text)).toEqual(texts);
    expect(fromArguments.last).toMatchObject({ text: "never again", label: expect.stringMatching(/good|bad/), score: expect.any(Number) });
    expect((await predict(["--json"], texts.join("\r\n"))).out).toBe(fromArguments.out);
    const fromFile = await predict(["--json", "--data", data, "--text", "text"]);
    expect(fromFile.lines).toHaveLength(12);
    expect(fromFile.lines[0]).toMatchObject({ line: 2, ...fromArguments.lines[0] });
  });

  it("names rows without a text on standard error, and answers the others", async () => {
    const gaps = join(scratch, "gaps.csv");
    writeFileSync(gaps, `${tinyCsv},good\n`);
    const { exitCode, lines, err } = await predict(["--json", "--data", gaps, "--text", "text"]);
    expect([exitCode, lines.length, lines.every((line) => "label" in line)]).toEqual([0, 12, true]);
    expect(err).toContain("line 14 the text (column text) is empty");
  });

  it("writes label, score and text with tabs, best label first, and columns on a terminal", async () => {
    const { out } = await predict(["--top-k", "5", "a\tb\nc"]);
    const [best, bestScore, other, otherScore, text] = out.trimEnd().split("\t");
    expect([best, other].sort()).toEqual(["bad", "good"]);
    expect(Number(bestScore)).toBeGreaterThanOrEqual(Number(otherScore));
    expect(Number(bestScore) + Number(otherScore)).toBeCloseTo(1, 5);
    expect(text).toBe("a b c");
    const terminal = await run(["predict", "--model", model, "--device", "reference", "fine"], { isTTY: true });
    expect(terminal.out).toMatch(/^(good|bad) +[\d.]+ % {2}fine\n/);
  });

  it("answers a line before the next one comes", async () => {
    const stdin = new PassThrough();
    stdin.write("first\n");
    let answered = 0;
    const finished = run(["predict", "--model", model, "--device", "reference", "--json"], {
      stdin,
      onOut: () => (++answered === 1 ? stdin.write("second\n") : stdin.end()),
    });
    expect((await finished).lines.map(({ text }) => text)).toEqual(["first", "second"]);
  });

  it("stops at Ctrl-C while it waits for a line", async () => {
    const controller = new AbortController();
    const stdin = new PassThrough();
    stdin.write("first\n");
    const { exitCode } = await run(["predict", "--model", model, "--device", "reference"], { stdin, signal: controller.signal, onOut: () => controller.abort() });
    expect(exitCode).toBe(130);
  });

  it("says what to give where there is nothing to classify", async () => {
    const { exitCode, err } = await predict([]);
    expect(exitCode).toBe(1);
    expect(err).toContain("(DATA_EMPTY)");
  });
});

describe("heddle eval", () => {
  const evaluate = (args: readonly string[]): Promise<Finished> => run(["eval", "--model", model, "--device", "reference", "--text", "text", "--label", "label", ...args]);

  it("ends with the scores, and warns of labels that were never trained", async () => {
    const { exitCode, last } = await evaluate(["--data", data, "--json"]);
    expect(exitCode).toBe(0);
    expect(last).toMatchObject({ type: "result", numRows: 12, accuracy: expect.any(Number), f1Macro: expect.any(Number) });
    const odd = join(scratch, "odd.csv");
    writeFileSync(odd, `${tinyCsv}fine,odd\n`);
    const withOdd = await evaluate(["--data", odd]);
    expect(withOdd.err).toContain('"odd"');
    expect(withOdd.out).toMatch(/odd +0\.0 % +0\.0 % +0\.0 % +1/);
  });
});

describe("model folders that are wrong", () => {
  const copyOf = (name: string): string => {
    const folder = join(scratch, name);
    cpSync(model, folder, { recursive: true });
    return folder;
  };
  const expectFailure = async (folder: string, code: RegExp, message: RegExp): Promise<void> => {
    const { exitCode, last, err, out } = await run(["predict", "--model", folder, "--device", "reference", "--json", "hello"]);
    expect([exitCode, last["type"]]).toEqual([1, "error"]);
    expect(last["code"]).toMatch(code);
    expect(err).toMatch(message);
    expect(out).not.toContain('"label"');
  };

  it("truncated weights", async () => {
    const folder = copyOf("truncated");
    truncateSync(join(folder, "model.safetensors"), 5000);
    await expectFailure(folder, /^SAFETENSORS_/, /model\.safetensors.*(download|copy|save)/);
  });

  it("weights that are not finite", async () => {
    const folder = copyOf("nan");
    const path = join(folder, "model.safetensors");
    const bytes = readFileSync(path);
    bytes.fill(0xff, bytes.length - 4);
    writeFileSync(path, bytes);
    await expectFailure(folder, /^WEIGHTS_NOT_FINITE$/, /model\.safetensors|weight/);
  });

  it("a configuration of another family, and none", async () => {
    const folder = copyOf("other");
    const path = join(folder, "config.json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), model_type: "resnet" }));
    await expectFailure(folder, /^MODEL_TYPE_UNKNOWN$/, /resnet.*bert/);
    rmSync(path);
    await expectFailure(folder, /^CONFIG_MISSING$/, /config\.json/);
    await expectFailure(join(scratch, "absent"), /^MODEL_FOLDER_NOT_FOUND$/, /pass the path of a folder/);
  });
});
