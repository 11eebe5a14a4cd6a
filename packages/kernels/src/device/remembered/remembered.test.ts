import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Remembered } from "./remembered.ts";

let folder: string;
const file = () => join(folder, "heddle", "facts.json");
const open = () => Remembered.named<number>("facts", (value) => (typeof value === "number" ? value : undefined));
const stored = () => JSON.parse(readFileSync(file(), "utf8")) as object;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "heddle-remembered-"));
  vi.stubEnv("XDG_CACHE_HOME", folder);
  return () => vi.unstubAllEnvs();
});

describe("Remembered", () => {
  it("outlives its process", async () => {
    await open().keep([["a", 1]]);
    await open().keep([["b", 2]]);
    expect(Object.fromEntries(await open().entries())).toEqual({ a: 1, b: 2 });
  });

  it.each([
    ["no JSON", "<html>"],
    ["cut off", '{"a": 1, "b'],
    ["empty", ""],
    ["another kind of JSON", "[1, 2]"],
    ["null", "null"],
  ])("takes a file that is %s for an empty one, and replaces it", async (_, text) => {
    mkdirSync(join(folder, "heddle"));
    writeFileSync(file(), text);
    const facts = open();
    expect((await facts.entries()).get("a")).toBeUndefined();
    await facts.keep([["a", 1]]);
    expect(stored()).toMatchObject({ a: 1 });
  });

  it("leaves out entries that are not such facts", async () => {
    mkdirSync(join(folder, "heddle"));
    writeFileSync(file(), '{"a": 1, "b": "two", "c": {"__proto__": 3}, "d": null}');
    expect(Object.fromEntries(await open().entries())).toEqual({ a: 1 });
  });

  it("remembers alone where the file can be neither read nor written", async () => {
    writeFileSync(join(folder, "heddle"), "a file where the folder should be");
    const facts = open();
    await facts.keep([["a", 1]]);
    expect((await facts.entries()).get("a")).toBe(1);
    expect((await open().entries()).size).toBe(0);
  });

  it("leaves nothing half-written behind", async () => {
    // A folder cannot be replaced by a file.
    mkdirSync(file(), { recursive: true });
    await open().keep([["a", 1]]);
    expect(readdirSync(join(folder, "heddle"))).toEqual(["facts.json"]);
  });

  it("keeps the newest entries", async () => {
    await open().keep([["old", 0]]);
    await open().keep(Array.from({ length: 4095 }, (_, i) => [`${i}x`, i] as const));
    await open().keep([["old", 1], ["new", 2]]);
    const kept = await open().entries();
    expect(kept.size).toBe(4096);
    expect([kept.get("0x"), kept.get("1x"), kept.get("old"), kept.get("new")]).toEqual([undefined, 1, 1, 2]);
  });

  it("is whole whenever it is read, while several processes write", async () => {
    const program = `
      const { Remembered } = await import(${JSON.stringify(new URL("./remembered.ts", import.meta.url).href)});
      const facts = Remembered.named("facts", (value) => value);
      for (let i = 0; i < 50; i++) await facts.keep([[process.argv[1] + i, "x".repeat(2000)]]);`;
    const writers = ["a", "b"].map((name) => promisify(execFile)(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program, name], { cwd: import.meta.dirname }));
    const done = Promise.all(writers).then(() => true);
    let reads = 0;
    while (!(await Promise.race([done, new Promise<false>((resolve) => setTimeout(resolve, 2, false))]))) {
      try {
        expect(Object.values(stored()).every((value) => (value as string).length === 2000)).toBe(true);
        reads++;
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe("ENOENT");
      }
    }
    expect(reads).toBeGreaterThan(0);
    expect(Object.keys(stored()).length).toBeGreaterThanOrEqual(50);
    expect(readdirSync(join(folder, "heddle"))).toEqual(["facts.json"]);
  });
});
