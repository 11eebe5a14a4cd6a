import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, type Finished, type RunOptions } from "../testing/run.ts";

let scratch: string;
let log: string;
let model: string;
let trained: Finished;

const file = (name: string, content: string): string => {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
};
/** Everyone goes round the same circle of items, from another one on. */
const circle = Array.from({ length: 12 }, (_, user) => Array.from({ length: 5 }, (_place, i) => `u${user},sku-${(user + i) % 12},${1.7e9 + i}\n`).join("")).join("");
const train = (output: string, args: readonly string[] = [], options?: RunOptions): Promise<Finished> =>
  run(["train", "--task", "recommendation", "--data", log, "--user", "who", "--item", "what", "--time", "at", "--output", output, "--device", "reference", "--epochs", "2", "--batch-size", "12", "--max-length", "4", ...args], options);

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "heddle-recommender-"));
  log = file("clicks.csv", `who,what,at\n${circle}`);
  model = join(scratch, "model");
  trained = await train(model, ["--json"]);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("heddle train --task recommendation", () => {
  it("writes a model and ends with test figures beside the baselines'", () => {
    expect(trained.exitCode, trained.err).toBe(0);
    expect(trained.lines.map(({ type }) => type)).toEqual(["plan", "epoch", "epoch", "evaluation", "chosen", "epoch", "epoch", "result"]);
    expect(trained.last).toMatchObject({ "hr@5": expect.any(Number), "ndcg@20": expect.any(Number), numUsers: 12, bestEpoch: 2, output: model });
    expect((trained.last["baselines"] as { name: string }[]).map(({ name }) => name)).toEqual(["popularity", "recency", "item-knn", "markov", "ease"]);
    expect(trained.err).toContain("60 events of 12 users with 12 items");
  });

  it("says so where a baseline is better, and what to do next", async () => {
    const other = join(scratch, "other");
    const { exitCode, out, err } = await train(other, ["--epochs", "1"]);
    expect(exitCode, err).toBe(0);
    expect(trained.last["beatsAll"]).toBe(false);
    expect(err).toMatch(/warning sasrec does not beat .*markov.* in ndcg@10/);
    expect(out).toMatch(/sasrec does not beat[^]*HR@5 +NDCG@5[^]*\nsasrec +[01]\.\d{4}[^]*\nmarkov /);
    expect(out).toContain(`heddle recommend --model ${other} --history sku-0,sku-1,sku-10`);
  });

  it("trains another family, which eval and recommend take", async () => {
    const output = join(scratch, "family");
    const device = ["--device", "cpu"];
    expect((await train(output, ["--model-type", "bert4rec", "--epochs", "1", ...device])).err).toContain("warning bert4rec does not beat");
    const evaluated = await run(["eval", "--model", output, "--data", log, "--user", "who", "--item", "what", "--time", "at", "--json", ...device]);
    expect(evaluated.last["hr@10"], evaluated.err).toEqual(expect.any(Number));
    expect((await run(["recommend", "--model", output, "--history", "sku-1", "--top-k", "2", "--json", ...device])).last["items"]).toHaveLength(2);
  });

  it("learns features of items, and places those that nobody touched", async () => {
    const output = join(scratch, "featured");
    const items = file("items.csv", `sku,colour,price\n${Array.from({ length: 14 }, (_, i) => `sku-${i},${i % 2 ? "red|dark" : "blue"},${i + 1}\n`).join("")}`);
    const { exitCode, err } = await train(output, ["--items", items, "--epochs", "1", "--json"]);
    expect(exitCode, err).toBe(0);
    expect(err).toContain("features of 14 items, categories colour, numbers price");
    expect(err).toContain("2 items that nobody touched are placed by features");
    const { last } = await run(["recommend", "--model", output, "--device", "reference", "--history", "sku-13", "--top-k", "14", "--json"]);
    expect((last["items"] as { itemId: string }[]).map(({ itemId }) => itemId)).toContain("sku-12");
  });

  it("keeps what is there, and goes on where it was stopped", async () => {
    expect((await train(model, ["--json"])).last).toMatchObject({ type: "error", code: "FOLDER_NOT_EMPTY" });
    const output = join(scratch, "stopped");
    const controller = new AbortController();
    const stopped = await train(output, ["--json"], { signal: controller.signal, onOut: (text) => text.includes('"epoch"') && controller.abort() });
    expect([stopped.exitCode, stopped.last["message"]]).toEqual([130, expect.stringMatching(/^stopped; step 1 is safe in .*checkpoints\. Go on with\n.* train --task recommendation .* --resume$/)]);
    expect((await train(output, ["--json"])).last).toMatchObject({ code: "FOLDER_NOT_EMPTY", message: expect.stringContaining("--resume") as string });
    const resumed = await train(output, ["--json", "--resume"]);
    expect(resumed.lines.map(({ type }) => type)).toEqual(["plan", "epoch", "evaluation", "chosen", "epoch", "epoch", "result"]);
    const { seconds: _, output: __, ...figures } = trained.last;
    expect(resumed.last).toMatchObject(figures);
    expect(existsSync(join(output, "checkpoints"))).toBe(false);
  });

  it("names columns that are not there, and a log that is too short", async () => {
    const absent = await train(join(scratch, "absent"), ["--json", "--item", "sku"]);
    expect(absent.last).toMatchObject({ code: "COLUMN_MISSING", message: expect.stringMatching(/"sku".*--item/) });
    const short = await run(["train", "--task", "recommendation", "--data", file("short.txt", "a 1 2\nb 2\n"), "--output", join(scratch, "short"), "--json"]);
    expect(short.last).toMatchObject({ code: "DATA_INVALID", message: expect.stringContaining("none of 2 users has 3 events") });
  });
});

describe("heddle eval of a recommender", () => {
  const evaluate = (args: readonly string[]): Promise<Finished> => run(["eval", "--model", model, "--device", "reference", ...args]);

  it("gives the figures of training again, whatever the order of lines and items", async () => {
    const turned = file("turned.csv", `who,what,at\n${circle.trimEnd().split("\n").reverse().join("\n")}\n`);
    const { exitCode, last, err } = await evaluate(["--data", turned, "--user", "who", "--item", "what", "--time", "at", "--json"]);
    expect(exitCode, err).toBe(0);
    const keys = ["hr@5", "ndcg@5", "hr@10", "ndcg@10", "hr@20", "ndcg@20"];
    expect(Object.keys(last).slice(0, 7)).toEqual(["type", ...keys]);
    for (const key of keys) expect(last[key]).toBeCloseTo(trained.last[key] as number, 6);
    expect((await evaluate(["--data", log, "--user", "who", "--item", "what", "--time", "at"])).out).toMatch(/HR@5 +NDCG@5 +HR@10 +NDCG@10 +HR@20 +NDCG@20\nsasrec( +[01]\.\d{4}){6}\n/);
  });

  it("names the first item that the model does not know, and refuses columns of texts", async () => {
    const foreign = await evaluate(["--data", file("foreign.txt", "u1 sku-1 shoe hat sku-2\n"), "--json"]);
    expect(foreign.last).toMatchObject({ code: "DATA_INVALID", message: expect.stringContaining('does not know 2 of 4 items, such as "hat"') });
    expect(await evaluate(["--data", log, "--text", "what"])).toMatchObject({ exitCode: 2, err: expect.stringContaining("--text is for texts") });
  });
});

describe("heddle recommend", () => {
  const recommend = (args: readonly string[]): Promise<Finished> => run(["recommend", "--model", model, "--device", "reference", ...args]);

  it("lists what comes next, best first, without what was touched", async () => {
    const { exitCode, last, err } = await recommend(["--history", "sku-1, sku-2", "--top-k", "3", "--json"]);
    expect(exitCode, err).toBe(0);
    const items = last["items"] as { itemId: string; score: number }[];
    expect(items).toHaveLength(3);
    expect(items.map(({ itemId }) => itemId)).not.toContain("sku-2");
    expect(items.map(({ score }) => score)).toEqual(items.map(({ score }) => score).sort((a, b) => b - a));
    const { out } = await recommend(["--history", "sku-1,sku-2", "--top-k", "3"]);
    expect(out).toBe(items.map(({ itemId, score }) => `${itemId}\t${score.toFixed(4)}\n`).join(""));
  });

  it("gives what is popular for an empty history, and names an unknown item", async () => {
    const popular = await recommend(["--history", "", "--top-k", "1", "--json"]);
    expect(popular.last["items"]).toEqual([{ itemId: expect.stringContaining("sku-"), score: 4, fallback: "popularity" }]);
    expect(popular.err).toContain("the history is empty");
    const unknown = await recommend(["--history", "sku-1,shoe", "--json"]);
    expect([unknown.exitCode, unknown.last["message"]]).toEqual([2, expect.stringContaining('no item has the id "shoe"')]);
  });
});
