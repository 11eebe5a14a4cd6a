import { expect, it, vi } from "vitest";
import { indexedDbText } from "./indexed-db.ts";
import { Remembered } from "./remembered.ts";

const open = (name: string) => Remembered.named<number>(name, (value) => (typeof value === "number" ? value : undefined));

it("remembers in the page's database", async () => {
  await open("facts").keep([["a", 1]]);
  await open("facts").keep([["b", 2]]);
  expect(Object.fromEntries(await open("facts").entries())).toEqual({ a: 1, b: 2 });
  expect((await open("others").entries()).size).toBe(0);
});

it("loses nothing when several write at once", async () => {
  await Promise.all(Array.from({ length: 20 }, (_, i) => open("many").keep([[`${i}`, i]])));
  expect((await open("many").entries()).size).toBe(20);
});

it("takes what is not its own for nothing, and replaces it", async () => {
  await indexedDbText("broken").update(() => '{"a": 1, "b');
  expect((await open("broken").entries()).size).toBe(0);
  await open("broken").keep([["c", 3]]);
  expect(Object.fromEntries(await open("broken").entries())).toEqual({ c: 3 });
});

it("remembers alone where the browser keeps nothing", async () => {
  const refused = vi.spyOn(indexedDB, "open").mockImplementation(() => {
    throw new DOMException("no storage here", "SecurityError");
  });
  const facts = open("refused");
  await facts.keep([["a", 1]]);
  expect((await facts.entries()).get("a")).toBe(1);
  refused.mockRestore();
  expect((await open("refused").entries()).size).toBe(0);
});
