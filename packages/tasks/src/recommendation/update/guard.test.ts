import { describe, expect, it } from "vitest";
import { Guard, type GuardView } from "./guard.ts";

const known = new Map(Array.from({ length: 1000 }, (_, user) => [`user-${user}`, Int32Array.of(1, 2, 3)]));
const guard = new Guard(known, { guardShare: 0.1, guardEvents: 50, maxLength: 5, seed: 42 });
const view = (earlier: number | null, recent: number | null, shares: [number, number][] = []): GuardView => ({ measures: { earlier, recent }, shares: new Map(shares), numEarlier: earlier === null ? 0 : 900, numRecent: recent === null ? 0 : 100 });
const verdict = (served: GuardView, learnt: GuardView) => guard.verdict(served, learnt, (item) => `item-${item}`);

describe("the guard of updates", () => {
  it("holds back a share of users, the same ones each time", () => {
    const watched = [...known.keys()].filter((userId) => guard.watches(userId));
    expect(watched.length).toBeGreaterThan(70);
    expect(watched.length).toBeLessThan(130);
    const again = new Guard(new Map(), { guardShare: 0.1, guardEvents: 50, maxLength: 5, seed: 42 });
    expect([...known.keys()].filter((userId) => again.watches(userId))).toEqual(watched);
    expect([guard.isReady, again.isReady]).toEqual([true, false]);
    for (let i = 0; i < 10; i++) again.add(Int32Array.of(1), 2);
    expect(again.isReady).toBe(true);
  });

  it("measures by the ranks of what it holds back", async () => {
    const seen = await guard.view(async (requests, topK) => ({ ranks: requests.map(() => Int32Array.of(3)), top: requests.map((_, i) => (topK > 0 && i % 2 === 0 ? Int32Array.of(7) : new Int32Array())) }), new Set());
    expect(seen).toEqual({ measures: { earlier: 0.5, recent: null }, shares: new Map([[7, expect.closeTo(0.5, 10)]]), numEarlier: 50, numRecent: 0 });
  });

  it("lets weights serve that are no worse, and says why others may not", () => {
    expect(verdict(view(0.05, 0.04), view(0.05, 0.04))).toBeNull();
    expect(verdict(view(0.05, 0.04), view(0.049, 0.2))).toBe("NDCG@10 on earlier events fell from 0.0500 to 0.0490");
    expect(verdict(view(0.05, 0.04), view(0.05, 0.039))).toBe("NDCG@10 on earlier and recent events fell from 0.0490 to 0.0489");
    expect(verdict(view(0.05, 0.04), view(0.06, 0.039))).toBeNull();
    expect(verdict(view(null, 0.04), view(null, 0.03))).toContain("fell");
    expect(verdict(view(0.05, 0.04), view(Number.NaN, 0.04))).toContain("fell from 0.0500 to NaN");
    expect(verdict(view(0.05, 0.04, [[3, 0.01]]), view(0.06, 0.05, [[3, 0.2], [4, 0.01]]))).toBe('"item-3" would enter the first ten items of 20.0 % of users, from 1.0 %');
    expect(verdict(view(0.05, 0.04, [[3, 0.16]]), view(0.06, 0.05, [[3, 0.2]]))).toBeNull();
  });
});
