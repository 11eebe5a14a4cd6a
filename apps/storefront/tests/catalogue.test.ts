import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PRODUCTS } from "../src/catalogue/catalogue.ts";
import { HAND_WRITTEN } from "../src/catalogue/hand-written.ts";
import { departmentOf, KINDS } from "../src/catalogue/kinds.ts";
import { picture } from "../src/pictures/picture.ts";
import { generateClickLog } from "../training/click-log.ts";

describe("the catalogue", () => {
  it("has 300 products and more, each with an id, a price and words of its own in both languages", () => {
    expect(PRODUCTS.length).toBeGreaterThanOrEqual(300);
    expect(HAND_WRITTEN.length).toBeGreaterThanOrEqual(40);
    for (const own of [({ id }) => id, ({ name }) => name.en, ({ name }) => name.zh] satisfies ((product: (typeof PRODUCTS)[number]) => string)[]) expect(new Set(PRODUCTS.map(own)).size).toBe(PRODUCTS.length);
    for (const { description, price } of PRODUCTS) {
      expect(description.en.length).toBeGreaterThan(20);
      expect(description.zh).toMatch(/\p{Script=Han}/u);
      expect(price).toBeGreaterThan(1);
    }
  });

  it("draws every design of every kind, no two products of a kind alike", () => {
    for (const kind of KINDS.keys()) {
      const pictures = PRODUCTS.filter((product) => product.kind === kind).map(picture);
      expect(new Set(pictures).size).toBe(pictures.length);
      for (const variant of [0, 1, 2] as const) expect(decodeURIComponent(picture({ kind, variant, colour: "sky", pattern: "dots", level: 2 }))).not.toContain("undefined");
    }
  });

  it("is what the model in public/model knows", async () => {
    const { item_ids: known } = JSON.parse(await readFile(join(import.meta.dirname, "../public/model/items.json"), "utf8")) as { item_ids: string[] };
    expect([...known].sort()).toEqual(PRODUCTS.map(({ id }) => id).sort());
  });
});

describe("the click log", () => {
  const clicks = generateClickLog(PRODUCTS, { seed: 3, numVisitors: 200 });

  it("is the same for the same seed, and another one for another", () => {
    expect(generateClickLog(PRODUCTS, { seed: 3, numVisitors: 200 })).toEqual(clicks);
    expect(generateClickLog(PRODUCTS, { seed: 4, numVisitors: 200 })).not.toEqual(clicks);
  });

  it("goes on within a kind, or to what is needed next", () => {
    const kinds = new Map(PRODUCTS.map(({ id, kind }) => [id, kind]));
    const place = (kind: string) => departmentOf.get(kind)!.kinds.findIndex(({ id }) => id === kind);
    const steps = clicks.slice(1).flatMap((click, i) => (click.userId === clicks[i]!.userId ? [[kinds.get(clicks[i]!.itemId)!, kinds.get(click.itemId)!] as const] : []));
    const share = (test: (from: string, to: string) => boolean) => steps.filter(([from, to]) => test(from, to)).length / steps.length;
    expect(share((from, to) => from === to)).toBeGreaterThan(0.5);
    expect(share((from, to) => departmentOf.get(from) === departmentOf.get(to) && place(to) === place(from) + 1)).toBeGreaterThan(0.1);
  });
});
