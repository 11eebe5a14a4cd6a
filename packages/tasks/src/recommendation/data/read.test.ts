import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Interactions } from "../interactions.ts";
import { interactionsFromEvents, type InteractionEvent } from "./from-events.ts";
import { kCore } from "./k-core.ts";
import { readInteractionsFile } from "./read-file.ts";
import { readInteractions, type ReadInteractionsOptions } from "./read.ts";
import { describeInteractions } from "./report.ts";

/** Each user's items by their ids. */
const byId = ({ userIds, itemIds, histories }: Interactions) => Object.fromEntries(userIds.map((user, i) => [user, [...histories[i]!].map((item) => itemIds[item]!)]));
const read = async (text: string, options: ReadInteractionsOptions = {}) => {
  const { interactions, report } = await readInteractions(text, options);
  return { interactions, report, histories: byId(interactions) };
};
const failure = (text: string, options?: ReadInteractionsOptions) => readInteractions(text, options).then(() => null, (error: unknown) => error);

describe("lines of ids", () => {
  it("reads sequences and keeps any id's spelling", async () => {
    const { interactions, report, histories } = await read("anna b-1 007 好\nZoë 007\n\nmax b-1 b-2\n");
    expect(histories).toEqual({ anna: ["b-1", "007", "好"], Zoë: ["007"], max: ["b-1", "b-2"] });
    expect(interactions.times).toBeUndefined();
    expect(report).toMatchObject({ numRows: 3, numUsers: 3, numItems: 4, numEvents: 6, itemsSeenOnce: 2, usersWithOneEvent: 1, outOfOrder: 0, bots: null });
  });

  it("reads pairs with users who alternate", async () => {
    const { histories, interactions } = await read("10 3\n9 4\n10 1\n9 3\n10 4\n");
    expect(histories).toEqual({ 10: ["3", "1", "4"], 9: ["4", "3"] });
    expect(interactions.userIds).toEqual(["9", "10"]);
    expect(interactions.itemIds).toEqual(["1", "3", "4"]);
  });

  it("joins a user's lines of a sequence file, and says so", async () => {
    const { histories, report } = await read("a 1 2 3\nb 4\na 5\n");
    expect(histories["a"]).toEqual(["1", "2", "3", "5"]);
    expect(report.usersOnSeveralLines).toBe(1);
    expect(describeInteractions(report)).toContain("1 user on several lines, joined in the file's order");
  });

  it("reports a line with one id, and a third one among pairs", async () => {
    expect((await read("a 1 2\nb\nc 2 3\n")).report.problems).toEqual([{ line: 2, reason: expect.stringContaining("an item after it") }]);
    expect((await read("a 1\na 2\na 3 oops\na 4\n")).report.problems).toEqual([{ line: 3, reason: "has 3 ids, a pair has 2" }]);
  });

  it("refuses a table without a header, and lines that are something else", async () => {
    expect(await failure("196\t242\t3\t881250949\n186\t302\t3\t891717742\n196\t377\t1\t878887116\n")).toMatchObject({ code: "DATA_INVALID", message: expect.stringContaining("without a header") });
    expect(await failure("1::1193::5\n1::661::3\n")).toMatchObject({ code: "DATA_INVALID", message: expect.stringContaining("one id") });
  });
});

describe("tables", () => {
  it("finds columns by their usual names, sorts by time and keeps the file's order at one time", async () => {
    const { histories, interactions, report } = await read("User ID,itemId,Timestamp\na,x,300\na,y,100\nb,y,50\na,z,300\na,w,200\n");
    expect(histories).toEqual({ a: ["y", "w", "x", "z"], b: ["y"] });
    expect([...interactions.times![0]!]).toEqual([100_000, 200_000, 300_000, 300_000]);
    expect(report).toMatchObject({ columns: { user: "User ID", item: "itemId", time: "Timestamp" }, timeUnit: "seconds", outOfOrder: 2, span: { from: 50_000, to: 300_000 } });
  });

  it("takes given columns, RecBole's headers and JSON Lines", async () => {
    expect((await read("who;what;n\na;x;1\n", { columns: { user: "who", item: "what" } })).histories).toEqual({ a: ["x"] });
    expect((await read("user_id:token\titem_id:token\ttimestamp:float\na\tx\t5\n")).report.timeUnit).toBe("seconds");
    expect((await read('{"userId": 7, "sku": "x", "time": "2024-05-31T18:00:00+02:00"}\n')).report).toMatchObject({ timeUnit: "iso", span: { from: Date.UTC(2024, 4, 31, 16) } });
  });

  it.each([
    ["978300760", 978300760000],
    ["978300760123", 978300760123],
    ["2000-12-31", Date.UTC(2000, 11, 31)],
    ["2000-12-31 22:12:40", 978300760000],
    ["2000-12-31T22:12:40.250Z", 978300760250],
    ["2000-12-31 17:12:40-05", 978300760000],
  ])("reads the time %s", async (cell, milliseconds) => {
    expect((await read(`user,item,time\na,x,${cell}\n`)).interactions.times![0]![0]).toBe(milliseconds);
  });

  it("refuses times in mixed units and names both lines", async () => {
    expect(await failure("user,item,time\na,x,978300760\na,y,0\na,z,978300760000\n")).toMatchObject({ code: "DATA_INVALID", message: expect.stringMatching(/mixed units: line 2 has 978300760 \(seconds.*line 4 has 978300760000 \(milliseconds/) });
    expect(await failure("user,item,time\na,x,2024-01-01\na,y,978300760\n")).toMatchObject({ code: "DATA_INVALID", message: expect.stringContaining("ISO 8601") });
    expect((await read("user,item,time\na,x,978300760\na,z,978300760000\n", { timeUnit: "milliseconds" })).report.timeUnit).toBe("milliseconds");
  });

  it("keeps chosen event types, ratings and weights; a weight that is no number is a problem of its row", async () => {
    const text = "user,item,event,rating,weight\na,x,view,5,1\na,y,buy,5,NaN\na,z,buy,2,1\na,v,buy,4,0\na,w,buy,4,2\nb,w,buy,5,0.5\n";
    const { histories, report } = await read(text, { eventTypes: ["buy"], minRating: 3 });
    expect(histories).toEqual({ a: ["w"], b: ["w"] });
    expect(report.leftOut).toEqual({ byEventType: 1, byRating: 1, byWeight: 1 });
    expect(report.problems).toEqual([{ line: 3, reason: 'the weight (column weight) is "NaN", no finite number' }]);
    expect(await failure("user,item\na,x\n", { eventTypes: ["buy"] })).toMatchObject({ code: "COLUMN_MISSING" });
  });

  it("refuses what it cannot read with an error that names the fix", async () => {
    expect(await failure(" \n")).toMatchObject({ code: "DATA_EMPTY" });
    expect(await failure("user,item\n")).toMatchObject({ code: "DATA_EMPTY" });
    expect(await failure("a,b\n1,2\n")).toMatchObject({ code: "COLUMN_MISSING", message: expect.stringMatching(/its columns are "a", "b": pass columns: \{ user/) });
    expect(await failure("user,item\n1,2\n", { columns: { time: "when" } })).toMatchObject({ code: "COLUMN_MISSING", message: expect.stringContaining('"when"') });
    expect(await failure("user,item\n1,2\n", { columns: { item: "user" } })).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await failure("user,item,time\na,x,yesterday\na,y,soon\n")).toMatchObject({ code: "DATA_INVALID", message: expect.stringContaining("ISO 8601") });
    expect(await failure("a 1\na 2\n", { minEventsPerItem: 2 })).toMatchObject({ code: "DATA_EMPTY", message: expect.stringContaining("too few events") });
    expect(await failure("a 1\n", { duplicates: "same-time" })).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await failure("a 1\n", { minEventsPerUser: 0 })).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("has a catalogue of one item", async () => {
    expect((await read("a 1\nb 1\n")).report).toMatchObject({ numItems: 1, numUsers: 2, itemsSeenOnce: 0, usersWithOneEvent: 2 });
  });
});

describe("duplicates and bots", () => {
  const text = "user,item,time\na,x,100\na,x,100\na,x,200\na,y,300\na,x,400\n";
  it.each([
    [undefined, ["x", "x", "y", "x"]],
    ["consecutive", ["x", "y", "x"]],
    ["any", ["x", "y"]],
    ["none", ["x", "x", "x", "y", "x"]],
  ] as const)("rule %s", async (duplicates, expected) => {
    const { histories, report } = await read(text, duplicates ? { duplicates } : {});
    expect(histories["a"]).toEqual(expected);
    expect(report.duplicates).toBe(5 - expected.length);
  });

  it("drops a user with more events a minute than allowed, and no other", async () => {
    const clicks = (user: string, count: number, every: number) => Array.from({ length: count }, (_, i) => `${user},i${i},${1.7e9 + i * every}\n`).join("");
    const { report } = await read(`user,item,time\n${clicks("bot", 11, 5.9)}${clicks("fast", 10, 5.9)}${clicks("steady", 30, 6)}`, { maxEventsPerMinute: 10 });
    expect(report.bots).toEqual({ userIds: ["bot"], numEvents: 11 });
    expect(report.numUsers).toBe(2);
  });
});

describe("k-core", () => {
  it("drops in turns", () => {
    // Item 3 has one event; without it user 2 has one, without whom item 2 has one.
    const interactions = { userIds: ["a", "b", "c"], itemIds: ["0", "1", "2", "3"], histories: [[0, 1], [0, 1, 2], [2, 3]].map((own) => Int32Array.from(own)) };
    const core = kCore(interactions, { minEventsPerUser: 2, minEventsPerItem: 2 });
    expect(byId(core)).toEqual({ a: ["0", "1"], b: ["0", "1"] });
  });

  it("leaves enough events for every user and item, and is the largest such part", () => {
    const logs = fc.array(fc.array(fc.nat(5), { maxLength: 6 }), { maxLength: 8 });
    fc.assert(fc.property(logs, fc.integer({ min: 1, max: 3 }), (histories, least) => {
      const interactions = { userIds: histories.map((_, i) => `u${i}`), itemIds: ["0", "1", "2", "3", "4", "5"], histories: histories.map((own) => Int32Array.from(own)) };
      const core = kCore(interactions, { minEventsPerUser: least, minEventsPerItem: least });
      const counts = new Map<number, number>();
      for (const own of core.histories) for (const item of own) counts.set(item, (counts.get(item) ?? 0) + 1);
      expect(core.histories.every(({ length }) => length >= least)).toBe(true);
      expect(core.itemIds.every((_, item) => counts.get(item)! >= least)).toBe(true);
      expect(kCore(core, { minEventsPerUser: least, minEventsPerItem: least })).toEqual(core);
    }));
  });
});

describe("interactionsFromEvents", () => {
  it("takes numbers and dates, in any order", () => {
    const { interactions, report } = interactionsFromEvents([{ userId: "b", itemId: "x", time: 20 }, { userId: "a", itemId: "y", time: new Date(5) }, { userId: "b", itemId: "y", time: 10 }]);
    expect(byId(interactions)).toEqual({ a: ["y"], b: ["y", "x"] });
    expect(report).toMatchObject({ outOfOrder: 1, numRows: 3, span: { from: 5, to: 20 } });
    expect(interactionsFromEvents([{ userId: "a", itemId: "x" }]).interactions.times).toBeUndefined();
  });

  it("refuses what it cannot order, by the event's number", () => {
    const reading = (...events: InteractionEvent[]) => () => interactionsFromEvents(events);
    expect(reading()).toThrow(expect.objectContaining({ code: "DATA_EMPTY" }));
    expect(reading({ userId: "a", itemId: "x" }, { userId: "a", itemId: "" })).toThrow("event 2 has an empty itemId");
    expect(reading({ userId: "a", itemId: "x", time: 1 }, { userId: "a", itemId: "y" })).toThrow("event 2 has no time");
    expect(reading({ userId: "a", itemId: "x" }, { userId: "a", itemId: "y", time: 1 })).toThrow("event 2 has a time, those before it have none");
    expect(reading({ userId: "a", itemId: "x", time: Number.NaN })).toThrow("the time of event 1 is NaN");
    expect(reading({ userId: "a", itemId: "x", time: new Date("soon") })).toThrow("Invalid Date");
  });
});

describe("readInteractionsFile", () => {
  it("reads Parquet by DuckDB: timestamps, numbers as ids, nulls", async () => {
    const folder = await mkdtemp(join(tmpdir(), "heddle-"));
    const path = join(folder, "it's a log.parquet");
    try {
      const connection = await (await DuckDBInstance.create(":memory:")).connect();
      await connection.run(`COPY (SELECT * FROM (VALUES (7, 'x', TIMESTAMP '2024-05-31 18:00:01'), (7, 'y', TIMESTAMP '2024-05-31 18:00:00.5'), (NULL, 'y', TIMESTAMP '2024-06-01 00:00:00')) t(user_id, item_id, ts)) TO '${path.replace("'", "''")}' (FORMAT parquet)`);
      const { interactions, report } = await readInteractionsFile(path);
      expect(byId(interactions)).toEqual({ 7: ["y", "x"] });
      expect([...interactions.times![0]!]).toEqual([Date.UTC(2024, 4, 31, 18, 0, 0, 500), Date.UTC(2024, 4, 31, 18, 0, 1)]);
      expect(report.problems).toEqual([{ line: 3, reason: "the user (column user_id) is missing" }]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("says what is wrong with a path", async () => {
    await expect(readInteractionsFile("/nowhere/log.parquet")).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
    await expect(readInteractionsFile(import.meta.filename, { format: "parquet" })).rejects.toMatchObject({ code: "DATA_INVALID", message: expect.stringContaining("Parquet") });
  });
});
