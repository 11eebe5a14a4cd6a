import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SequentialRecommender } from "../recommender.ts";
import { customers, openShop, settings, visits } from "../testing/shop.ts";

let scratch: string;
let model: string;
let made = 0;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "heddle-journal-"));
  model = join(scratch, "model");
  // One that has learnt something: what a round makes of a model that has not is luck.
  using shop = await openShop();
  await shop.savePretrained(model);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const load = (from = model) => SequentialRecommender.fromPretrained(from, { device: "cpu", interactions: customers, updates: { ...settings, eventsPerRound: 60 } });
const folder = () => join(scratch, `journal-${made++}`);
const answers = async (recommender: SequentialRecommender) => [await recommender.recommend({ userId: "visitor-3" }), await recommender.recommend({ userId: "customer-1" }), await recommender.similarItems("item-1")];
const clicks = visits(0, 24, 5);

describe("SequentialRecommender.openJournal", () => {
  it("gives histories and weights back, those before them too", async () => {
    const journal = folder();
    const first = await load();
    expect(await first.openJournal(journal)).toEqual({ numEvents: 0, generation: 0, waiting: 0, tornBytes: 0 });
    const { waiting: none, learning: round } = await first.update(clicks.slice(0, 100));
    expect(round, JSON.stringify(round)).toMatchObject({ accepted: true, generation: 1 });
    await first.update([{ userId: "customer-1", itemId: "item-9" }]);
    const { learning, waiting } = await first.update(clicks.slice(100), { learn: "never" });
    expect([none, learning]).toEqual([0, null]);
    const served = await answers(first);
    await first.close();

    const second = await load();
    const found = await second.openJournal(journal);
    expect(found).toEqual({ numEvents: 121, generation: 1, waiting, tornBytes: 0 });
    expect(await answers(second)).toEqual(served);
    await second.rollback();
    const before = await answers(second);
    await second.close();

    const third = await load();
    expect((await third.openJournal(journal)).generation).toBe(0);
    expect(await answers(third)).toEqual(before);
    expect((await readdir(journal)).sort()).toEqual([".heddle.lock", "updates.jsonl"]);
    await third.close();
  });

  it("cuts off a last line that was never finished, and says so", async () => {
    const journal = folder();
    const first = await load();
    await first.openJournal(journal);
    await first.update(clicks.slice(0, 40));
    await first.update(clicks.slice(40, 60));
    await first.close();
    const file = join(journal, "updates.jsonl");
    const { length } = await readFile(file);
    await truncate(file, length - 7);
    const second = await load();
    const { numEvents, tornBytes } = await second.openJournal(journal);
    expect([numEvents, tornBytes > 0]).toEqual([40, true]);
    await second.update(clicks.slice(40, 60));
    await second.close();
    expect((await readFile(file)).length).toBe(length);
    await appendFile(file, "\u0000\u0000\n");
    const third = await load();
    expect(await third.openJournal(journal)).toMatchObject({ numEvents: 60, tornBytes: 3 });
    await third.close();
  });

  it("refuses a folder in use, a damaged one, and one of another model", async () => {
    const journal = folder();
    const first = await load();
    await first.openJournal(journal);
    await first.update(clicks.slice(0, 40));
    const second = await load();
    await expect(second.openJournal(journal)).rejects.toMatchObject({ code: "FOLDER_IN_USE" });
    await expect(first.openJournal(folder())).rejects.toThrow("a journal is open already");
    await first.close();
    await second.update([{ userId: "a", itemId: "item-1" }]);
    await expect(second.openJournal(journal)).rejects.toThrow("1 events came before the journal");
    const other = await load();
    const state = other["model"].parameters.get("layers.0.feed_forward.inner.bias");
    state!.write(new Float32Array(state!.type.shape.reduce((size, count) => size * count, 1)).fill(1));
    await expect(other.openJournal(journal)).rejects.toMatchObject({ code: "CHECKPOINT_MISMATCH" });
    const file = join(journal, "updates.jsonl");
    const lines = (await readFile(file, "utf8")).split("\n");
    await writeFile(file, [lines[0], "{}", ...lines.slice(1)].join("\n"));
    const third = await load();
    await expect(third.openJournal(journal)).rejects.toMatchObject({ code: "CHECKPOINT_INVALID", message: expect.stringContaining("line 2 is damaged") });
    for (const recommender of [second, other, third]) recommender.dispose();
  });

  it("loses at most the call in flight by kill -9", { timeout: 60_000 }, async () => {
    const journal = folder();
    const script = fileURLToPath(new URL("../testing/killed-updates.ts", import.meta.url));
    let answered = 0;
    for (const afterLines of [3, 6]) {
      const child = spawn(process.execPath, ["--conditions=@heddle/source", "--import", "tsx", script, model, journal], { stdio: ["ignore", "pipe", "inherit"] });
      let [output, lines] = ["", 0];
      child.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        const before = lines;
        lines = output.split("\n").length - 1;
        // Some milliseconds into the next call, which may be writing or learning.
        if (before < afterLines && lines >= afterLines) setTimeout(() => child.kill("SIGKILL"), 7 * afterLines);
      });
      const [, signal] = (await once(child, "close")) as [number | null, string | null];
      expect(signal, output).toBe("SIGKILL");
      const opened = /open (\d+)/.exec(output)!;
      expect(Number(opened[1])).toBeGreaterThanOrEqual(answered);
      answered = Math.max(...[...output.matchAll(/answered (\d+)/g)].map(([, count]) => Number(count)));
    }
    const recommender = await load();
    const { numEvents } = await recommender.openJournal(journal);
    expect([answered, answered + 20]).toContain(numEvents);
    const own = visits(0, 80, 5).slice(0, numEvents).filter(({ userId }) => userId === "visitor-2");
    expect(await recommender.recommend({ userId: "visitor-2" })).toEqual(await recommender.recommend({ history: own.map(({ itemId }) => itemId) }));
    await recommender.close();
  });
});
