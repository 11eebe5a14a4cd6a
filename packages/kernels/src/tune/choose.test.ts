import { describe, expect, it, vi } from "vitest";
import { HeddleError } from "../errors.ts";
import { Budget } from "./budget.ts";
import { chooseFastest, type Choice, type Trial } from "./choose.ts";

/** How a made-up design behaves. */
interface Behaviour {
  /** Of one run. */
  ms: number;
  compileMs?: number;
  wrong?: string;
  fails?: Error;
}

/** A machine whose clock only trials move. */
function bench(behaviours: Record<string, Behaviour>, { totalMs = 10_000, drift = (_batch: number): number => 1 } = {}) {
  let nowMs = 0;
  const batches: [design: string, repeats: number][] = [];
  const disposed: string[] = [];
  const open = ({ name }: { name: string }): Trial => {
    const { ms, compileMs = 1, wrong = null, fails } = behaviours[name]!;
    return {
      async compile() {
        nowMs += compileMs;
        if (fails) throw fails;
      },
      check: async () => wrong,
      async time(repeats) {
        const elapsedMs = ms * repeats * drift(batches.length);
        batches.push([name, repeats]);
        nowMs += elapsedMs;
        return elapsedMs;
      },
      dispose: () => disposed.push(name),
    };
  };
  const designs = Object.keys(behaviours).map((name) => ({ name }));
  const choose = (signal?: AbortSignal) => chooseFastest(designs, open, { budget: new Budget(totalMs, () => nowMs), signal });
  return { choose, batches, disposed };
}

describe("chooseFastest", () => {
  it("takes the fastest design, measured in batches of 20 ms or more", async () => {
    const { choose, batches, disposed } = bench({ shipped: { ms: 2 }, faster: { ms: 1.5 }, slower: { ms: 3 } });
    expect(await choose()).toEqual({
      winner: "faster",
      speedup: 2 / 1.5,
      candidates: [
        { design: "shipped", outcome: "lost", ms: 2 },
        { design: "faster", outcome: "won", ms: 1.5 },
        { design: "slower", outcome: "lost", ms: 3 },
      ],
    });
    const last = batches.slice(-3);
    expect(last.map(([design]) => design)).toEqual(["shipped", "faster", "slower"]);
    for (const [design, repeats] of last) expect(repeats * { shipped: 2, faster: 1.5, slower: 3 }[design]!).toBeGreaterThanOrEqual(20);
    expect(disposed).toEqual(["shipped", "faster", "slower"]);
  });

  it("keeps the default unless another is clearly faster", async () => {
    expect(await bench({ shipped: { ms: 1 }, other: { ms: 0.98 } }).choose()).toMatchObject({ winner: "shipped", speedup: 1 });
    expect(await bench({ shipped: { ms: 1 }, other: { ms: 0.96 } }).choose()).toMatchObject({ winner: "other" });
  });

  it("is not deceived by a machine that is slow for a while", async () => {
    const slowAtFirst = bench({ shipped: { ms: 30 }, other: { ms: 33 } }, { drift: (batch) => (batch < 1 ? 1.5 : 1) });
    expect(await slowAtFirst.choose()).toMatchObject({ winner: "shipped" });
    const stalledOnce = bench({ shipped: { ms: 1 }, other: { ms: 0.5 } }, { drift: (batch) => (batch === 4 ? 500 : 1) });
    expect(await stalledOnce.choose()).toMatchObject({ winner: "other" });
    expect(stalledOnce.batches[4]).toEqual(["other", 1]);
  });

  it("rejects what is wrong or does not compile, the default included, and says why", async () => {
    const { choose } = bench({ shipped: { ms: 1, wrong: "output 0 has NaN at 0, where 1 is right" }, invalid: { ms: 1, fails: new HeddleError("GPU_VALIDATION", "no such type") }, right: { ms: 9 } });
    expect(await choose()).toEqual({
      winner: "right",
      speedup: 1,
      candidates: [
        { design: "shipped", outcome: "wrong", reason: "output 0 has NaN at 0, where 1 is right" },
        { design: "invalid", outcome: "failed", reason: "no such type" },
        { design: "right", outcome: "won", ms: 9 },
      ],
    });
    expect(await bench({ shipped: { ms: 1, wrong: "all of it" } }).choose()).toEqual({ reason: "no design gave a right result: shipped: all of it" });
  });

  it("drops a design whose compiling alone eats a quarter of the budget, but not the default", async () => {
    const choice = await bench({ shipped: { ms: 5, compileMs: 3000 }, large: { ms: 1, compileMs: 3000 }, small: { ms: 4 } }).choose();
    expect(choice).toMatchObject({ winner: "small" });
    expect((choice as Choice).candidates[1]).toEqual({ design: "large", outcome: "slow to compile", reason: "compiling took 3000 ms, and may take 2500 ms of the budget" });
  });

  it("decides nothing where the budget ends before every design was looked at", async () => {
    const { choose, disposed } = bench({ shipped: { ms: 30, compileMs: 90 }, other: { ms: 1 } }, { totalMs: 100 });
    expect(await choose()).toEqual({ reason: "the budget of 100 ms was spent" });
    expect(disposed).toEqual(["shipped"]);
  });

  it("keeps the default where another is faster only now and then", async () => {
    let batch = 0;
    const { choose } = bench({ shipped: { ms: 30 }, other: { ms: 29.5 } }, { drift: () => (batch++ % 5 === 0 ? 0.8 : 1) });
    expect(await choose()).toMatchObject({ winner: "shipped" });
  });

  it("decides nothing where a design is much faster, but not always", async () => {
    const { choose } = bench({ shipped: { ms: 30 }, other: { ms: 20 } }, { drift: (batch) => (batch % 6 === 1 ? 2 : 1) });
    expect(await choose()).toEqual({ reason: expect.stringMatching(/^other took 1.5 times less than shipped at its best, but not always/) as string });
  });

  it("does not take a default for slow that stalled before the race", async () => {
    const { choose } = bench({ shipped: { ms: 20 }, other: { ms: 20 } }, { drift: (batch) => (batch < 2 ? 9 : 1) });
    expect(await choose()).toMatchObject({ winner: "shipped", speedup: 1 });
    expect(await bench({ shipped: { ms: 100 }, other: { ms: 20 } }).choose()).toMatchObject({ winner: "other", speedup: 5 });
  });

  it("spares itself the rounds of a design that takes more than thrice as long as another", async () => {
    const { choose, batches } = bench({ shipped: { ms: 40 }, hopeless: { ms: 130 } });
    expect(await choose()).toMatchObject({ winner: "shipped" });
    expect(batches.filter(([design]) => design === "hopeless")).toHaveLength(2);
  });

  it("stops for a signal and for a lost device", async () => {
    const controller = new AbortController();
    const { choose, disposed } = bench({ shipped: { ms: 30 }, other: { ms: 20 } }, { drift: (batch) => (batch === 4 ? controller.abort(new Error("enough")) : undefined, 1) });
    await expect(choose(controller.signal)).rejects.toThrow("enough");
    expect(disposed).toEqual(["shipped", "other"]);
    const lost = bench({ shipped: { ms: 1 }, other: { ms: 1, fails: new HeddleError("DEVICE_LOST", "gone") } });
    await expect(lost.choose()).rejects.toThrow("gone");
    expect(lost.disposed).toEqual(["shipped", "other"]);
  });
});

describe("Budget", () => {
  it("is spent when its time has passed", () => {
    const now = vi.fn<() => number>(() => 0);
    const budget = new Budget(10, now);
    expect(budget.isSpent).toBe(false);
    now.mockReturnValue(10);
    expect(budget.isSpent).toBe(true);
  });
});
