import { describe, expect, it } from "vitest";
import { readItemFeatures } from "./item-table.ts";

describe("readItemFeatures", () => {
  it("takes columns of numbers for numbers and all others for categories", async () => {
    const csv = "item_id,kind,tags,price,brand\nt1,tent,light|2 person,120,7\nt2,tent,,,7\ns1, stove ,gas,35.5,8\n,tent,,1,1\nt1,boot,,2,2\n";
    const { itemFeatures, problems, columns } = await readItemFeatures(csv, { categories: ["brand"], name: "shop.csv" });
    expect(columns).toEqual({ item: "item_id", categories: ["kind", "tags", "brand"], numbers: ["price"] });
    expect([...itemFeatures]).toEqual([
      ["t1", { categories: ["kind:tent", "tags:light", "tags:2 person", "brand:7"], numbers: { price: 120 } }],
      ["t2", { categories: ["kind:tent", "brand:7"], numbers: {} }],
      ["s1", { categories: ["kind:stove", "tags:gas", "brand:8"], numbers: { price: 35.5 } }],
    ]);
    expect(problems.map(({ line, reason }) => `${line} ${reason}`)).toEqual(["5 the item (column item_id) is missing", '6 repeats the item "t1", whose first row counts']);
  });

  it("takes lists apart, and lists of as many numbers for embeddings", async () => {
    const lines = [{ asin: "a", brands: ["x", "y"], vector: [0.5, -1] }, { asin: "b", brands: [], vector: [1, 2] }, { asin: "c" }];
    const { itemFeatures, columns } = await readItemFeatures(lines.map((line) => JSON.stringify(line)).join("\n"), { format: "jsonl" });
    expect(columns).toEqual({ item: "asin", categories: ["brands"], numbers: [], embedding: "vector" });
    expect([...itemFeatures.values()]).toEqual([{ categories: ["brands:x", "brands:y"], numbers: {}, embedding: [0.5, -1] }, { categories: [], numbers: {}, embedding: [1, 2] }, { categories: [], numbers: {} }]);
    // As DuckDB writes lists of Parquet.
    expect((await readItemFeatures("id,tags\n1,\"[red, 'two words']\"\n")).itemFeatures.get("1")!.categories).toEqual(["tags:red", "tags:two words"]);
    await expect(readItemFeatures("a,b\n1,2\n")).rejects.toMatchObject({ code: "COLUMN_MISSING", message: expect.stringContaining('pass item: "…"') });
  });
});
