import { describe, expect, it } from "vitest";
import { run } from "./testing/run.ts";

const trainArgs = ["train", "--data", "a.csv", "--text", "text", "--label", "label", "--output", "out"];

describe("wrong usage", () => {
  it.each<[string, string[], RegExp]>([
    ["no command", [], /Usage: heddle/],
    ["an unknown command", ["trian"], /unknown command 'trian'[^]*Did you mean train/],
    ["an unknown option", [...trainArgs, "--epoch", "3"], /unknown option '--epoch'[^]*Did you mean --epochs/],
    ["a missing option", ["train", "--data", "a.csv", "--output", "out"], /required option '--text <column>' not specified/],
    ["a number that is none", [...trainArgs, "--epochs", "many"], /--epochs <n>' argument 'many' is invalid\. Give a number above 0/],
    ["a fraction of a step", [...trainArgs, "--max-steps", "1.5"], /Give a whole number of at least 1/],
    ["an unknown device", [...trainArgs, "--device", "tpu"], /Allowed choices are auto, webgpu, cpu, reference/],
    ["an unknown tokenizer", [...trainArgs, "--tokenizer", "words"], /Allowed choices are wordpiece, byte-level-bpe/],
    ["a classifier's option for a recommender", ["train", "--task", "recommendation", "--data", "a.csv", "--output", "out", "--max-steps", "3"], /option '--max-steps <n>' is not for --task recommendation/],
    ["a recommender's option for a classifier", [...trainArgs, "--item", "sku"], /option '--item <column>' is not for --task text-classification/],
    ["an unknown task", [...trainArgs, "--task", "magic"], /Allowed choices are text-classification, recommendation/],
    ["texts and a file", ["predict", "--model", "m", "--data", "a.csv", "--text", "text", "hello"], /give one of them/],
    ["a file without its column", ["predict", "--model", "m", "--data", "a.csv"], /--data needs --text COLUMN/],
    ["a column without its file", ["predict", "--model", "m", "--text", "hello"], /--text names a column of --data FILE/],
  ])("%s ends with exit code 2", async (_what, args, message) => {
    const { exitCode, out, err } = await run(args);
    expect(err).toMatch(message);
    expect([exitCode, out]).toEqual([2, ""]);
  });

  it("is a JSON line too with --json", async () => {
    const { exitCode, last } = await run([...trainArgs, "--json", "--epochs", "0"]);
    expect([exitCode, last["type"], last["code"]]).toEqual([2, "error", "USAGE"]);
  });
});

describe("help", () => {
  it.each([["--help"], ["train", "--help"], ["eval", "--help"], ["predict", "--help"], ["export", "--help"], ["recommend", "--help"], ["profile", "--help"], ["tune", "--help"], ["devices", "--help"], ["demo", "--help"]])("%s %s goes to standard output and names the exit codes", async (...args) => {
    const { exitCode, out, err } = await run(args);
    expect([exitCode, err]).toEqual([0, ""]);
    expect(out).toContain("Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted");
  });
});

describe("errors", () => {
  it("show where they came from only with --verbose", async () => {
    const args = ["eval", "--model", "absent", "--data", "absent.csv", "--text", "text", "--label", "label"];
    expect((await run(args)).err).not.toMatch(/\n\s+at /);
    const { exitCode, err } = await run([...args, "--verbose"]);
    expect(exitCode).toBe(1);
    expect(err).toMatch(/\n\s+at [^]*caused by/);
  });
});
