import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeHub, writeTinyDecoder } from "@heddle/tasks/testing";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { run } from "../testing/run.ts";

const model = await writeTinyDecoder();
afterAll(() => rm(model, { recursive: true, force: true }));
const common = ["--model", model, "--device", "reference", "--max-new-tokens", "6"];

afterEach(() => vi.unstubAllEnvs());

describe("heddle generate", () => {
  it("takes an id of the hub, and says what is wrong with it", async () => {
    const hub = await FakeHub.start();
    const cache = await mkdtemp(join(tmpdir(), "heddle-cli-hub-"));
    try {
      hub.push("org/tiny", Object.fromEntries(await Promise.all((await readdir(model)).map(async (name) => [name, await readFile(join(model, name))] as const))));
      vi.stubEnv("HF_ENDPOINT", hub.endpoint);
      vi.stubEnv("HEDDLE_CACHE", cache);
      const rest = [...common.slice(2), "the parcel"];
      const byId = await run(["generate", "--model", "org/tiny", ...rest]);
      expect([byId.exitCode, byId.out], byId.err).toEqual([0, (await run(["generate", "--model", model, ...rest])).out]);
      hub.push("org/tiny", { "config.json": "{}" }, { revision: "broken" });
      expect((await run(["generate", "--model", "org/tiny", "--revision", "broken", ...rest])).exitCode).toBe(1);
      expect((await run(["generate", "--model", "org/tiny", "--revision", "main", ...rest])).out).toBe(byId.out);
      expect((await run(["generate", "--model", "org/tiny", "--revision", "none", ...rest])).err).toMatch(/revision/);
      vi.stubEnv("HF_TOKEN", hub.token);
      hub.push("org/mine", { "config.json": "{}" }, { access: "private" });
      await run(["eval", "--model", "org/mine", "--data", "rows.csv", "--revision", "main"]);
      expect(hub.seen.filter(({ path }) => path.startsWith("/org/mine")).map(({ authorization }) => authorization)).toContain(`Bearer ${hub.token}`);
      vi.stubEnv("HF_TOKEN", "");
      const unknown = await run(["generate", "--model", "org/nobody", ...rest]);
      expect([unknown.exitCode, unknown.err]).toEqual([1, expect.stringMatching(/\[org\/nobody\] is no model that .* no such folder/)]);
      vi.stubEnv("HF_HUB_OFFLINE", "1");
      hub.seen.length = 0;
      expect([(await run(["generate", "--model", "org/tiny", ...rest])).out, hub.seen]).toEqual([byId.out, []]);
    } finally {
      await hub.close();
      await rm(cache, { recursive: true, force: true });
    }
  });

  it("streams the text, and tells it whole in the last JSON line", async () => {
    const plain = await run(["generate", ...common, "the", "parcel"]);
    expect(plain.exitCode, plain.err).toBe(0);
    const json = await run(["generate", ...common, "--json", "the parcel"]);
    expect(json.last).toMatchObject({ tokens: 6, text: plain.out.slice(0, -1), tokensPerSecond: expect.any(Number) });
    expect(json.lines.slice(0, -1).map(({ text }) => text).join("")).toBe(json.last["text"]);
    const drawn = (seed: string) => run(["generate", ...common, "--temperature", "2", "--seed", seed, "the"]);
    expect((await drawn("1")).out).toBe((await drawn("1")).out);
  });

  it("writes JSON of a schema, with its value", { timeout: 120_000 }, async () => {
    const folder = await writeTinyDecoder({ ends: true });
    const schema = join(folder, "schema.json");
    await writeFile(schema, JSON.stringify({ type: "object", properties: { late: { type: "boolean" } }, required: ["late"] }));
    const { exitCode, last, err } = await run(["generate", "--model", folder, "--device", "reference", "--schema", schema, "--json", "the"]);
    expect(exitCode, err).toBe(0);
    expect(last).toMatchObject({ text: JSON.stringify(last["value"]).replace(":", ": "), value: { late: expect.any(Boolean) }, finishReason: "stop" });
    expect((await run(["generate", "--model", folder, "--device", "reference", "--schema", join(folder, "none.json"), "the"])).err).toMatch(/none.json could not be read/);
    await rm(folder, { recursive: true });
  });

  it("says what is wrong", async () => {
    expect((await run(["generate", ...common, "--temperature", "-1", "the"])).err).toContain("Give 0 or a number above it");
    expect((await run(["generate", "--model", "/nowhere.gguf", "the"])).err).toMatch(/\/nowhere.gguf\] could not be read/);
    expect((await run(["generate", ...common])).exitCode).toBe(2);
  });
});

describe("heddle chat", () => {
  it("answers each line, with the conversation so far", async () => {
    const { exitCode, lines, err } = await run(["chat", ...common, "--json", "--system", "be brief"], { stdin: "late\n\nbox\n" });
    expect(exitCode, err).toBe(0);
    expect(lines.map(({ type }) => type)).toEqual(["answer", "answer"]);
  });

  it("says that a model is none for it before it asks for anything", async () => {
    const plain = await writeTinyDecoder({ chat: false });
    const { exitCode, out, err } = await run(["chat", "--model", plain, "--device", "reference"], { stdin: "" });
    expect([exitCode, out]).toEqual([2, ""]);
    expect(err).toMatch(/has no chat template: it is a model for going on with texts; use heddle generate/);
    await rm(plain, { recursive: true });
  });
});

describe("heddle embed and transcribe", () => {
  it("refuse a model that is made for something else", async () => {
    expect((await run(["embed", "--model", model, "--device", "reference", "text"])).err).toMatch(/is no sentence encoder/);
    expect((await run(["transcribe", "--model", model, "nothing.wav"])).err).toMatch(/nothing.wav could not be read/);
  });
});
