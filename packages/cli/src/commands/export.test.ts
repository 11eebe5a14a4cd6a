import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contentOf, tinyCsv, tinyTraining } from "../testing/reviews.ts";
import { run, type Finished, type RunOptions } from "../testing/run.ts";

let scratch: string;
let model: string;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "heddle-export-"));
  model = join(scratch, "model");
  const data = join(scratch, "reviews.csv");
  writeFileSync(data, tinyCsv);
  const { exitCode, err } = await run(["train", "--data", data, "--text", "text", "--label", "label", "--output", model, ...tinyTraining]);
  expect(exitCode, err).toBe(0);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const exportTo = (output: string, args: readonly string[] = [], options?: RunOptions): Promise<Finished> => run(["export", "--model", model, "--format", "onnx", "--output", output, ...args], options);

describe("heddle export", () => {
  it("writes the folder that transformers.js loads, and ends with what it wrote", async () => {
    const output = join(scratch, "json");
    const { exitCode, lines, last, err } = await exportTo(output, ["--dtype", "fp32,q8", "--json"]);
    expect(exitCode, err).toBe(0);
    expect(lines.map(({ type, file }) => [type, file])).toEqual([["export", "onnx/model.onnx"], ["export", "onnx/model_quantized.onnx"], ["result", undefined]]);
    expect(last).toMatchObject({ model, output, format: "onnx", dtypes: ["fp32", "q8"], task: "text-classification" });
    const files = last["files"] as { name: string; sizeBytes: number }[];
    expect(files.map(({ name }) => name).sort()).toEqual(["config.json", "onnx/model.onnx", "onnx/model_quantized.onnx", "tokenizer.json", "tokenizer_config.json"]);
    for (const { name, sizeBytes } of files) expect(statSync(join(output, name)).size, name).toBe(sizeBytes);
    expect(readdirSync(output).sort()).toEqual(["config.json", "onnx", "tokenizer.json", "tokenizer_config.json"]);
  });

  it("tells people the sizes and the lines that load it, which give the command's own answers", async () => {
    const before = process.cwd();
    let out = "";
    try {
      process.chdir(scratch);
      out = (await exportTo("lines")).out;
    } finally {
      process.chdir(before);
    }
    expect(out).toMatch(/^onnx\/model\.onnx +[\d.]+ [kM]B$/m);
    expect(out).toContain('pipeline("text-classification", "./lines", { dtype: "fp32" })');
    const code = out.split("\n").filter((line) => line.startsWith("  "));
    expect(code).toHaveLength(2);
    const script = ['import { env } from "@huggingface/transformers";', "env.allowRemoteModels = false;", ...code, 'console.log(JSON.stringify(await run("loved it")));'].join("\n");
    const require = createRequire(import.meta.url);
    const installed = pathToFileURL(require.resolve("@huggingface/transformers")).href;
    writeFileSync(join(scratch, "load.mjs"), script.replaceAll("@huggingface/transformers", installed));
    const printed = execFileSync(process.execPath, ["load.mjs"], { cwd: scratch, encoding: "utf8" });
    const [answer] = JSON.parse(printed.trim().split("\n").at(-1)!) as [{ label: string; score: number }];
    const { last } = await run(["predict", "--model", model, "--device", "reference", "--json", "loved it"]);
    expect(answer.label).toBe(last["label"]);
    expect(answer.score).toBeCloseTo(last["score"] as number, 4);
  });

  it("writes into a folder that is not empty only when told to, and keeps what is not its own", async () => {
    const output = join(scratch, "again");
    await exportTo(output, ["--dtype", "q8"]);
    writeFileSync(join(output, "README.md"), "# mine\n");
    const before = contentOf(output);
    const refused = await exportTo(output, ["--json"]);
    expect([refused.exitCode, refused.last["code"]]).toEqual([1, "FOLDER_NOT_EMPTY"]);
    expect(refused.last["message"]).toMatch(/README\.md.*--overwrite/);
    expect(contentOf(output)).toEqual(before);
    expect((await exportTo(output, ["--overwrite"])).exitCode).toBe(0);
    expect([readdirSync(join(output, "onnx")), readFileSync(join(output, "README.md"), "utf8")]).toEqual([["model.onnx"], "# mine\n"]);
  });

  it("goes over what a killed export left", async () => {
    const output = join(scratch, "killed");
    mkdirSync(join(output, "onnx"), { recursive: true });
    writeFileSync(join(output, ".heddle.lock"), JSON.stringify({ pid: 2 ** 30, host: hostname(), processStart: "1" }));
    writeFileSync(join(output, "onnx/.model.onnx.heddle-tmp-7-0"), "half");
    const { exitCode, err } = await exportTo(output);
    expect(exitCode, err).toBe(0);
    expect(readdirSync(join(output, "onnx"))).toEqual(["model.onnx"]);
  });

  it("stops at Ctrl-C and leaves no folder", async () => {
    const controller = new AbortController();
    const output = join(scratch, "stopped/onnx");
    const { exitCode, last } = await exportTo(output, ["--json", "--dtype", "fp32,q8"], { signal: controller.signal, onOut: (text) => text.includes("quantized") && controller.abort() });
    expect([exitCode, last["type"]]).toEqual([130, "interrupted"]);
    expect(existsSync(join(scratch, "stopped"))).toBe(false);
  });
});

describe("an export that cannot be", () => {
  it.each<[string, string[], RegExp]>([
    ["an unknown format", ["--format", "tflite"], /argument 'tflite' is invalid\. Allowed choices are onnx/],
    ["an unknown dtype", ["--dtype", "fp32,q9"], /There is no dtype 'q9': give fp32 or q8/],
    ["no dtype", ["--dtype", ""], /There is no dtype ''/],
  ])("for %s ends with exit code 2", async (_what, args, message) => {
    const output = join(scratch, "usage");
    const { exitCode, err } = await exportTo(output, args);
    expect(err).toMatch(message);
    expect([exitCode, existsSync(output)]).toEqual([2, false]);
  });

  async function expectFailure(args: readonly string[], output: string, code: string, message: RegExp): Promise<void> {
    const { exitCode, last, err } = await run(["export", "--json", ...args, "--output", output]);
    expect([exitCode, last["type"], last["code"]], err).toEqual([1, "error", code]);
    expect(last["message"]).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
  }

  it("for models that are absent, of an unknown family, or without a tokenizer leaves no folder", async () => {
    const output = join(scratch, "none");
    await expectFailure(["--model", join(scratch, "absent")], output, "MODEL_FOLDER_NOT_FOUND", /pass the path of a folder/);
    const other = join(scratch, "other");
    mkdirSync(other);
    writeFileSync(join(other, "config.json"), JSON.stringify({ model_type: "resnet" }));
    writeFileSync(join(other, "tokenizer.json"), readFileSync(join(model, "tokenizer.json")));
    await expectFailure(["--model", other], output, "MODEL_TYPE_UNKNOWN", /resnet.*bert/);
    rmSync(join(other, "tokenizer.json"));
    await expectFailure(["--model", other], output, "TOKENIZER_MISSING", /tokenizer\.json/);
    expect(existsSync(output)).toBe(false);
  });

  it("for an output that is a file says so", async () => {
    const output = join(scratch, "taken");
    writeFileSync(output, "");
    await expectFailure(["--model", model], output, "FOLDER_NOT_WRITABLE", /taken/);
  });
});
