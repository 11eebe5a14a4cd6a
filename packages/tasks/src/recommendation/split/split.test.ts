import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readInteractions } from "../data/read.ts";
import type { Interactions } from "../interactions.ts";
import { checkLeakage } from "./leakage.ts";
import { leaveOneOut } from "./leave-one-out.ts";
import type { RankingQuery, Split } from "./split.ts";
import { temporalSplit } from "./temporal.ts";

const plain = (queries: readonly RankingQuery[]) => queries.map(({ user, history, targets }) => [user, [...history], [...targets]]);
const histories = ({ train }: Split) => train.histories.map((own) => [...own]);

/** Up to 8 users with up to 7 events each, times in order. */
const logs: fc.Arbitrary<Interactions> = fc.array(fc.array(fc.tuple(fc.nat(9), fc.nat(50)), { maxLength: 7 }), { minLength: 1, maxLength: 8 }).map((users) => ({
  userIds: users.map((_, i) => `u${i}`),
  itemIds: Array.from({ length: 10 }, (_, i) => `i${i}`),
  histories: users.map((events) => Int32Array.from(events, ([item]) => item)),
  times: users.map((events) => Float64Array.from(events, ([, time]) => time).sort()),
}));

describe("leaveOneOut", () => {
  it("holds out the last two events of users with three or more", async () => {
    const { interactions } = await readInteractions("1 0 1 2 3\n2 4 5\n3 2 0 1\n");
    const split = leaveOneOut(interactions);
    expect(histories(split)).toEqual([[0, 1], [4, 5], [2]]);
    expect(plain(split.validation)).toEqual([[0, [0, 1], [2]], [2, [2], [0]]]);
    expect(plain(split.test)).toEqual([[0, [0, 1, 2], [3]], [2, [2, 0], [1]]]);
    expect(checkLeakage(split)).toEqual({ heldOutInTraining: 0, validationAfterTest: 0 });
  });

  it("refuses users who are all too short", async () => {
    const { interactions } = await readInteractions("1 0 1\n2 4\n");
    expect(() => leaveOneOut(interactions)).toThrow(expect.objectContaining({ code: "DATA_INVALID" }));
  });
});

describe("temporalSplit", () => {
  it("cuts at one moment for all, with new users and events of the very moment in the later part", async () => {
    const { interactions } = await readInteractions("user,item,time\na,0,10\na,1,20\na,2,30\na,2,40\nb,1,15\nb,0,30\nc,3,35\n");
    const split = temporalSplit(interactions, { validationFrom: 20_000, testFrom: 30_000 });
    expect(histories(split)).toEqual([[0], [1], []]);
    expect(plain(split.validation)).toEqual([[0, [0], [1]]]);
    expect(plain(split.test)).toEqual([[0, [0, 1], [2]], [1, [1], [0]], [2, [], [3]]]);
    expect(split.test.map(({ time }) => time)).toEqual([30_000, 30_000, 35_000]);
    expect(checkLeakage(split)).toEqual({ heldOutInTraining: 0, validationAfterTest: 0, trainedOnLaterEvents: 0 });
  });

  it("says what it needs", async () => {
    const { interactions } = await readInteractions("user,item,time\na,0,10\na,1,20\n");
    expect(() => temporalSplit({ ...interactions, times: undefined } as unknown as Interactions)).toThrow(expect.objectContaining({ code: "DATA_INVALID", message: expect.stringContaining("no times") }));
    expect(() => temporalSplit(interactions, { testShare: 1 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => temporalSplit(interactions, { testFrom: 5 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => temporalSplit(interactions, { validationFrom: 15_000, testFrom: 90_000 })).toThrow(/no event falls into the test period .*1970-01-01T00:00:20/);
  });
});

describe("leakage", () => {
  it("is absent from every split that these make", () => {
    fc.assert(fc.property(logs, (log) => {
      for (const make of [leaveOneOut, temporalSplit]) {
        let split: Split;
        try {
          split = make(log);
        } catch {
          // Too few events for this split.
          continue;
        }
        const { heldOutInTraining, validationAfterTest, trainedOnLaterEvents } = checkLeakage(split);
        expect([heldOutInTraining, validationAfterTest]).toEqual([0, 0]);
        if (make === temporalSplit) expect(trainedOnLaterEvents).toBe(0);
        const numHeld = (queries: readonly RankingQuery[]) => queries.reduce((sum, { targets }) => sum + targets.length, 0);
        const numEvents = log.histories.reduce((sum, { length }) => sum + length, 0);
        expect(histories(split).flat().length + numHeld(split.validation) + numHeld(split.test)).toBeLessThanOrEqual(numEvents);
      }
    }));
  });

  it("is found where a held-out event was trained on, and where training is later than the test", async () => {
    const { interactions } = await readInteractions("user,item,time\na,0,10\na,1,20\na,2,30\nb,0,50\nb,1,60\nb,2,70\n");
    const split = leaveOneOut(interactions);
    expect(checkLeakage({ ...split, train: interactions }).heldOutInTraining).toBe(4);
    expect(checkLeakage(split).trainedOnLaterEvents).toBe(0.5);
    expect(checkLeakage({ ...split, validation: split.test, test: split.validation }).validationAfterTest).toBe(2);
  });
});
