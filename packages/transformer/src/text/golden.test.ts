import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadTokenizer } from "./tokenizer.ts";

// What Python's tokenizers gives. The files are on this project's machines only: see CONTRIBUTING.md.
const shared = process.env["HEDDLE_SHARED"] ?? join(import.meta.dirname, "../../../../../shared");
const folder = join(shared, "golden/tokenizers");
const names = existsSync(folder) ? readdirSync(folder) : [];
if (names.length === 0) console.warn(`tokenizer goldens NOT compared: ${folder} is absent`);

interface Golden {
  vocab_size: number;
  single: { text: string; ids: number[]; type_ids: number[]; ids_plain: number[]; decoded: string; decoded_with_special: string }[];
  pairs: { a: string; b: string; ids: number[]; type_ids: number[] }[];
  truncated: { a: string; b: string; max_length: number; ids: number[] }[];
}

describe("ids equal Python's tokenizers", () => {
  it("knows whether the goldens are here", () => expect(names.length === 0 || names.length >= 5).toBe(true));
  for (const name of names) {
    it(name, () => {
      const tokenizer = loadTokenizer(readFileSync(join(folder, name, "tokenizer.json"), "utf8"));
      const golden = JSON.parse(readFileSync(join(folder, name, "golden.json"), "utf8")) as Golden;
      expect(tokenizer.vocabSize).toBe(golden.vocab_size);
      for (const row of golden.single) {
        expect(tokenizer.encode(row.text), row.text).toEqual({ ids: row.ids, typeIds: row.type_ids });
        expect(tokenizer.encode(row.text, { addSpecialTokens: false }).ids, row.text).toEqual(row.ids_plain);
        expect(tokenizer.decode(row.ids), row.text).toBe(row.decoded);
        expect(tokenizer.decode(row.ids, { skipSpecialTokens: false }), row.text).toBe(row.decoded_with_special);
      }
      for (const { a, b, ids, type_ids } of golden.pairs) expect(tokenizer.encode(a, { pair: b })).toEqual({ ids, typeIds: type_ids });
      for (const { a, b, max_length, ids } of golden.truncated) expect(tokenizer.encode(a, { pair: b, maxLength: max_length }).ids).toEqual(ids);
    });
  }
});

const miniLmGolden = join(shared, "data/checkpoints/all-MiniLM-L6-v2/golden.json");
describe("all-MiniLM-L6-v2", () => {
  it("gives the ids of its reference texts", () => {
    if (!existsSync(miniLmGolden)) return console.warn(`MiniLM's ids NOT compared: ${miniLmGolden} is absent`);
    let model: string;
    try {
      model = execFileSync("bash", [join(shared, "data/fetch.sh"), "minilm"], { encoding: "utf8" }).trim();
    } catch (error) {
      return console.warn(`MiniLM's ids NOT compared, the checkpoint could not be fetched: ${String(error)}`);
    }
    const read = (file: string): string => readFileSync(join(model, file), "utf8");
    const tokenizer = loadTokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
    const golden = JSON.parse(readFileSync(miniLmGolden, "utf8")) as { texts: string[]; input_ids: number[][]; max_length: number };
    golden.texts.forEach((text, i) => expect(tokenizer.encode(text, { maxLength: golden.max_length }).ids, text.slice(0, 80)).toEqual(golden.input_ids[i]));
    expect(tokenizer.modelMaxLength).toBe(512);
    expect(tokenizer.specialTokenId("cls")).toBe(101);
  });
});
