import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockFolder } from "@heddle/tasks";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { contentOf, tinyCsv, tinyTraining } from "../testing/reviews.ts";
import { run, type Finished, type RunOptions } from "../testing/run.ts";

let scratch: string;
let data: string;
/** A folder with a finished model, and the run that made it. */
let finished: string;
let firstRun: Finished;
let folders = 0;

const newFolder = (): string => join(scratch, `out-${++folders}`);
const file = (name: string, content: string): string => {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
};
const train = (output: string, args: readonly string[] = [], options?: RunOptions): Promise<Finished> =>
  run(["train", "--data", data, "--text", "text", "--label", "label", "--output", output, ...tinyTraining, "--json", ...args], options);

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "heddle-train-"));
  data = file("reviews.csv", tinyCsv);
  finished = newFolder();
  firstRun = await train(finished);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
afterEach(() => void vi.restoreAllMocks());

/** A run that fails with this code leaves a finished model beside it exactly as it was. */
async function expectFailure(failing: (output: string) => Promise<Finished>, code: string, fix: RegExp): Promise<void> {
  const before = contentOf(finished);
  const result = await failing(finished);
  expect([result.exitCode, result.last["type"], result.last["code"]], result.err).toEqual([1, "error", code]);
  expect(result.last["message"]).toMatch(fix);
  expect(result.err).toContain(`(${code})`);
  expect(result.err).not.toMatch(/\n\s+at /);
  expect(contentOf(finished)).toEqual(before);
}

describe("heddle train", () => {
  it("writes a model folder and ends with the result", () => {
    expect(firstRun.exitCode, firstRun.err).toBe(0);
    expect(firstRun.lines.map(({ type }) => type)).toEqual(expect.arrayContaining(["phase", "plan", "step", "evaluation"]));
    expect(firstRun.last).toMatchObject({ type: "result", accuracy: expect.any(Number), f1Macro: expect.any(Number), majorityAccuracy: 0.5, steps: 2, output: finished });
    expect(readdirSync(finished).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
    expect(firstRun.out.split("\n").filter((line) => line !== "" && !line.startsWith("{"))).toEqual([]);
  });

  it("shows people a table, and what to do next", async () => {
    const output = newFolder();
    const { out, err } = await run(["train", "--data", data, "--text", "text", "--label", "label", "--output", output, ...tinyTraining]);
    expect(out).toMatch(/accuracy [\d.]+ % · F1 macro [\d.]+ % · majority class 50.0 %/);
    expect(out).toMatch(/precision +recall +F1 +rows/);
    expect(out).toContain(`heddle predict --model ${output} "a text of yours"`);
    expect(err).toMatch(/step 2\/2 {2}loss \d/);
  });

  it("says which rows of the file it could not use", async () => {
    const spoilt = file("spoilt.csv", `${tinyCsv}too,many,cells\n${",good\n".repeat(6)}`);
    const { exitCode, err, lines } = await run(["train", "--data", spoilt, "--text", "text", "--label", "label", "--output", newFolder(), ...tinyTraining, "--json"]);
    expect(exitCode).toBe(0);
    expect(err).toContain("7 of 19 rows cannot be used and are left out");
    expect(err).toContain("line 14 has 3 cells, the header has 2");
    expect(err.match(/\n {2}line /g)).toHaveLength(5);
    expect(err).toContain("and 2 more");
    expect(lines.find(({ type }) => type === "badRows")).toMatchObject({ file: spoilt, count: 7 });
  });

  it("evaluates on another file with other column names", async () => {
    const dev = file("dev.tsv", "label\tcontent\ngood\tloved it\nbad\tnever again\nodd\tso what\n");
    const missing = newFolder();
    await expectFailure(() => train(missing, ["--eval", dev]), "COLUMN_MISSING", /"label", "content".*--eval-text COLUMN/);
    expect(contentOf(missing)).toEqual({});
    const result = await train(newFolder(), ["--eval", dev, "--eval-text", "content"]);
    expect([result.exitCode, result.last["numRows"]]).toEqual([0, 3]);
    expect(result.err).toContain("never trained on");
  });
});

describe("bad input", () => {
  const withData = (path: string, args: readonly string[] = []): Promise<Finished> =>
    run(["train", "--data", path, "--text", "text", "--label", "label", "--output", finished, "--overwrite", ...tinyTraining, "--json", ...args]);

  it("an empty file, a file that is not there, a missing column, one class only", async () => {
    await expectFailure(() => withData(file("empty.csv", "")), "DATA_EMPTY", /give a file with a header line/);
    await expectFailure(() => withData(join(scratch, "absent.csv")), "FILE_UNREADABLE", /check the path/);
    await expectFailure(() => withData(file("other.csv", "review,stars\nfine,5\n")), "COLUMN_MISSING", /"review", "stars".*--text COLUMN/);
    await expectFailure(() => withData(file("one.csv", "text,label\na,good\nb,good\n")), "ONE_CLASS_ONLY", /add rows with at least one other label/);
  });

  it("an output folder that cannot be written, or that something else uses", async () => {
    await expectFailure(() => train(join(data, "below-a-file")), "FOLDER_NOT_WRITABLE", /choose an output folder/);
    await expectFailure((output) => train(output), "FOLDER_NOT_EMPTY", /--overwrite/);
    await expectFailure((output) => train(output, ["--resume"]), "FOLDER_NOT_EMPTY", /--overwrite instead of --resume/);
    const busy = newFolder();
    mkdirSync(busy);
    await using _held = await lockFolder(busy);
    await expectFailure(() => train(busy), "FOLDER_IN_USE", /wait for it, stop it, or choose another/);
  });

  it("a disk that fills up while the model or a checkpoint is saved", async () => {
    for (const full of [join(finished, "."), join(finished, "checkpoints")]) {
      const { open } = fs;
      const folder = full.endsWith("checkpoints") ? /checkpoints/ : /^(?!.*checkpoints).*safetensors/;
      vi.spyOn(fs, "open").mockImplementation(async (...args) => {
        if (args[1] === "w" && folder.test(String(args[0]))) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
        return open(...args);
      });
      const before = contentOf(finished);
      const result = await train(finished, ["--overwrite"]);
      expect([result.exitCode, result.last["code"]], result.err).toEqual([1, "DISK_FULL"]);
      expect(result.last["message"]).toMatch(/free some space/);
      const { [join(finished, "config.json")]: config, [join(finished, "model.safetensors")]: weights } = contentOf(finished);
      expect([config, weights]).toEqual([before[join(finished, "config.json")], before[join(finished, "model.safetensors")]]);
      vi.restoreAllMocks();
      rmSync(join(finished, "checkpoints"), { recursive: true, force: true });
    }
  });
});

describe("Ctrl-C", () => {
  it("while training saves a checkpoint, says how to go on, and a resumed run ends with the same model", async () => {
    const args = ["--epochs", "2", "--max-steps", "4", "--overwrite"];
    const whole = newFolder();
    await train(whole, args);
    const output = newFolder();
    const controller = new AbortController();
    const stopped = await train(output, args, { signal: controller.signal, onOut: (text) => text.includes('"evaluation"') && controller.abort() });
    expect([stopped.exitCode, stopped.last["type"]], stopped.err).toEqual([130, "interrupted"]);
    expect(stopped.err).toMatch(/step \d+ is safe in .*checkpoints\. Go on with\n {2}heddle train .*--resume/);
    expect(readdirSync(output)).toEqual(["checkpoints"]);
    await expectFailure(() => train(output), "FOLDER_NOT_EMPTY", /--resume to go on/);
    const resumed = await train(output, [...args.slice(0, 4), "--resume"]);
    expect(resumed.exitCode, resumed.err).toBe(0);
    const names = (folder: string): Record<string, string> => Object.fromEntries(Object.entries(contentOf(folder)).map(([path, hash]) => [path.slice(folder.length), hash]));
    expect(names(output)).toEqual(names(whole));
  });

  it("leaves a run that --overwrite discards and starts anew", async () => {
    const output = newFolder();
    const controller = new AbortController();
    await train(output, [], { signal: controller.signal, onOut: (text) => text.includes('"plan"') && controller.abort() });
    expect(readdirSync(output)).toEqual(["checkpoints"]);
    const { exitCode, err, lines } = await train(output, ["--overwrite"]);
    expect([exitCode, lines.find(({ type }) => type === "plan")?.["resumedStep"]], err).toEqual([0, 0]);
    expect(readdirSync(output)).not.toContain("checkpoints");
  });

  it("while saving leaves the earlier model, and the run can be resumed", async () => {
    const before = contentOf(finished);
    const controller = new AbortController();
    const { open } = fs;
    vi.spyOn(fs, "open").mockImplementation(async (...args) => {
      if (args[1] === "w" && /^(?!.*checkpoints).*safetensors/.test(String(args[0]))) controller.abort();
      return open(...args);
    });
    const stopped = await train(finished, ["--overwrite"], { signal: controller.signal });
    vi.restoreAllMocks();
    expect(stopped.exitCode, stopped.err).toBe(130);
    expect(stopped.err).toContain("--resume");
    expect(contentOf(finished)).toMatchObject(before);
    const resumed = await train(finished, ["--resume"]);
    expect(resumed.exitCode, resumed.err).toBe(0);
    expect(readdirSync(finished)).not.toContain("checkpoints");
  });
});
