import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDevice } from "@heddle/kernels";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InteractionEvent } from "../data/from-events.ts";
import { SequentialRecommender } from "../recommender.ts";
import { customers, nextOf, openShop, settings, visits } from "../testing/shop.ts";
import type { LearningReport, UpdateSettings } from "./types.ts";

const device = await openDevice({ device: "cpu" });
let folder: string;
const opened: SequentialRecommender[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-update-"));
  using trained = await openShop();
  await trained.savePretrained(folder);
});
afterAll(async () => {
  for (const recommender of opened) recommender.dispose();
  device.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** The trained shop, with nothing streamed yet. */
async function shop(updates: UpdateSettings = {}): Promise<SequentialRecommender> {
  const recommender = await SequentialRecommender.fromPretrained(folder, { device, interactions: customers, updates: { ...settings, ...updates } });
  opened.push(recommender);
  return recommender;
}

/** NDCG@10 of what visitors number 0 to 79 do after their first five clicks. */
async function ndcg(recommender: SequentialRecommender): Promise<number> {
  let sum = 0;
  for (let visitor = 0; visitor < 80; visitor++) {
    const place = (await recommender.recommend({ userId: `visitor-${visitor}` })).findIndex(({ itemId }) => itemId === nextOf(visitor, 5));
    if (place >= 0) sum += 1 / Math.log2(place + 2);
  }
  return sum / 80;
}

/** New users who each go some ordinary way, and then all to one item. */
const poison: InteractionEvent[] = Array.from({ length: 60 }, (_, bot) => [0, 1, 2, 3, 4, 38 - (bot % 28)].map((step) => (bot % 28) + step).map((item, i) => ({ userId: `bot-${bot}`, itemId: `item-${item}`, time: 1.7e12 + bot * 1000 + i }))).flat();

describe("SequentialRecommender.update", () => {
  it("answers from a click at once, without any training", async () => {
    const recommender = await shop();
    const answer = (history: string[]) => recommender.recommend({ history });
    const before = await recommender.recommend({ userId: "customer-3" });
    // Not awaited: the history grows before the promise settles.
    const report = recommender.update([{ userId: "customer-3", itemId: "item-30" }, { userId: "new", itemId: "item-30" }]);
    expect(await recommender.recommend({ userId: "customer-3" })).toEqual(await answer([3, 4, 5, 6, 7, 8, 30].map((item) => `item-${item}`)));
    expect(await recommender.recommend({ userId: "customer-3" })).not.toEqual(before);
    expect(await recommender.recommend({ userId: "new" })).toEqual(await answer(["item-30"]));
    expect(await report).toMatchObject({ accepted: 2, newUsers: 1, refused: [], late: 0, learning: null });
  });

  it("learns from a stream what the frozen model does not know, and can go back", async () => {
    const [frozen, live] = [await shop(), await shop()];
    const rounds: LearningReport[] = [];
    const clicks = visits(0, 80, 5);
    for (let begin = 0; begin < clicks.length; begin += 80) {
      const batch = clicks.slice(begin, begin + 80);
      await frozen.update(batch, { learn: "never" });
      const { learning } = await live.update(batch, { learn: begin + 80 === clicks.length ? "now" : "auto" });
      if (learning) rounds.push(learning);
    }
    const accepted = rounds.filter((round) => round.accepted);
    expect(accepted.length, JSON.stringify(rounds)).toBeGreaterThan(0);
    for (const { before, after } of accepted) {
      expect(after.earlier).toBeGreaterThanOrEqual(before.earlier!);
    }
    const [before, after] = [await ndcg(frozen), await ndcg(live)];
    expect(after).toBeGreaterThan(before + 0.1);
    expect(await live.rollback()).toEqual({ generation: accepted.length - 1, changed: true });
    expect(await live.rollback()).toEqual({ generation: accepted.length - 1, changed: false });
    if (accepted.length === 1) expect(await live.recommend({ userId: "visitor-1" })).toEqual(await frozen.recommend({ userId: "visitor-1" }));
  });

  it("refuses a poisoned stream by its guard alone, and by name before it learns", async () => {
    const guarded = await shop({ maxItemShare: 1, learningRate: 0.01, numEpochs: 4 });
    const before = await guarded.recommend({ history: ["item-3", "item-4"] });
    const { accepted, learning } = await guarded.update(poison);
    expect(accepted).toBe(360);
    expect(learning, JSON.stringify(learning)).toMatchObject({ accepted: false, generation: 0, reason: expect.stringMatching(/NDCG@10 on earlier events fell|"item-38" would enter/) });
    expect(await guarded.recommend({ history: ["item-3", "item-4"] })).toEqual(before);
    const named = await shop({ maxItemShare: 0.1 });
    const { refused } = await named.update(poison);
    expect(refused).toEqual([{ reason: "item-surge", numEvents: expect.any(Number), userIds: expect.any(Array), itemIds: ["item-38"] }]);
  });

  it("refuses bots, repeats and newcomers who are all the same", async () => {
    const recommender = await shop({ maxEventsPerMinute: 5 });
    const clicks = (userId: string, items: number[], step: number) => items.map((item, i) => ({ userId, itemId: `item-${item}`, time: 1.7e12 + i * step }));
    const fast = await recommender.update(clicks("bot", [1, 2, 3, 4, 5, 6, 7], 1000));
    expect(fast).toMatchObject({ accepted: 5, refused: [{ reason: "rate", numEvents: 2, userIds: ["bot"], itemIds: [] }] });
    expect(await recommender.update(clicks("slow", [1, 2, 3, 4, 5, 6, 7], 20_000))).toMatchObject({ accepted: 7, refused: [] });
    // Delivered twice, once with one event more; then one that comes late.
    expect(await recommender.update(clicks("slow", [1, 2, 3, 4, 5, 6, 7, 8], 20_000))).toMatchObject({ accepted: 1, refused: [{ reason: "duplicate", numEvents: 7 }] });
    expect(await recommender.update([{ userId: "slow", itemId: "item-9", time: 1.7e12 + 1 }])).toMatchObject({ accepted: 1, late: 1 });
    expect(await recommender.update([{ userId: "plain", itemId: "item-1" }, { userId: "plain", itemId: "item-1" }])).toMatchObject({ accepted: 1, refused: [{ reason: "duplicate" }] });
    expect(await recommender.update([{ userId: "plain", itemId: "item-1" }])).toMatchObject({ accepted: 0, refused: [{ reason: "duplicate" }] });
    const same = Array.from({ length: 60 }, (_, bot) => [3, 17, 30, 8, 25, 11, 38, 5, 20, 14, 33].map((item, i) => ({ userId: `same-${bot}`, itemId: `item-${item}`, time: 1.7e12 + i * 30_000 }))).flat();
    const { refused, learning } = await recommender.update(same);
    expect(refused).toEqual([{ reason: "identical-newcomers", numEvents: expect.any(Number), userIds: expect.any(Array), itemIds: expect.any(Array) }]);
    expect(learning?.numEvents ?? 0).toBeLessThan(20);
  });

  it("takes nothing of a call with bad input, and says what is wrong", async () => {
    const recommender = await shop();
    const before = await recommender.recommend({ userId: "customer-1" });
    const good = { userId: "customer-1", itemId: "item-9", time: 1.7e12 };
    const refused = async (event: object, message: string) => expect(recommender.update([good, { ...good, ...event }])).rejects.toThrow(message);
    await refused({ itemId: "shoe" }, 'no item has the id "shoe"');
    await refused({ userId: "" }, "event 2 has an empty userId");
    await refused({ time: Number.NaN }, "the time of event 2 is NaN");
    await refused({ time: new Date("never") }, "the time of event 2 is Invalid Date");
    await refused({ time: 1.7e9 }, "in seconds it seems");
    await refused({ time: 1.7e15 }, "give milliseconds");
    await refused({ time: undefined }, "event 2 has no time, the first one has one");
    expect(await recommender.recommend({ userId: "customer-1" })).toEqual(before);
    expect(await recommender.update([])).toEqual({ accepted: 0, refused: [], late: 0, newUsers: 0, waiting: 0, learning: null });
    expect(await recommender.update([], { learn: "now" })).toMatchObject({ learning: null });
    await expect(shop({ learningRate: Number.NaN })).rejects.toThrow("learningRate is NaN");
  });

  it("waits where nobody is held back to judge by, and stops when told", async () => {
    const blank = await SequentialRecommender.fromPretrained(folder, { device, updates: { ...settings, guardShare: 0.01 } });
    opened.push(blank);
    expect(await blank.update(visits(0, 60, 5))).toMatchObject({ accepted: 300, waiting: expect.any(Number), learning: { accepted: false, numSteps: 0, reason: expect.stringContaining("give interactions") } });
    expect((await blank.recommend({ userId: "visitor-3" }))[0]).not.toHaveProperty("fallback");
    const recommender = await shop();
    const controller = new AbortController();
    const stopped = recommender.update(visits(0, 50, 5), { signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    await expect(stopped).rejects.toMatchObject({ code: "ABORTED" });
    expect((await recommender.update([], { learn: "never" })).waiting).toBeGreaterThan(150);
    expect(await recommender.rollback()).toEqual({ generation: 0, changed: false });
  });

  it("answers while it learns", async () => {
    const recommender = await shop();
    const before = await recommender.recommend({ history: ["item-3"] });
    await recommender.update(visits(0, 30, 5), { learn: "never" });
    let isDone = false;
    const learning = recommender.update([], { learn: "now" }).then(() => (isDone = true));
    let answers = 0;
    while (!isDone && answers < 1000) {
      const answer = await recommender.recommend({ history: ["item-3"] });
      if (!isDone) expect(answer).toHaveLength(before.length);
      answers++;
    }
    await learning;
    expect(answers).toBeGreaterThan(5);
  });
});
