import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { labelledTexts, texts } from "./select.ts";
import { readTableFile } from "./table-file.ts";
import { readTable, type Table } from "./table.ts";

const bytes = (...values: (string | number)[]) => Uint8Array.from(values.flatMap((value) => (typeof value === "number" ? [value] : [...new TextEncoder().encode(value)])));
const plainRows = ({ rows }: Table) => rows.map(({ line, values }) => [line, ...Object.values(values)]);

describe("CSV", () => {
  it("reads quoted cells, line ends inside them, doubled quotes, a byte order mark and CRLF", async () => {
    const table = await readTable(bytes(0xef, 0xbb, 0xbf, 'text,label\r\n"one, ""two""\r\nthree",a\r\n\r\nfour,b'), { name: "x.csv" });
    expect(table.columns).toEqual(["text", "label"]);
    expect(plainRows(table)).toEqual([[2, 'one, "two"\nthree', "a"], [5, "four", "b"]]);
    expect(table.problems).toEqual([]);
  });

  it("keeps quotes inside unquoted cells", async () => {
    const table = await readTable('text,label\nthe 5" screen,a\n"Best" phone,b\n');
    expect(plainRows(table)).toEqual([[2, 'the 5" screen', "a"], [3, '"Best" phone', "b"]]);
  });

  it("reports an unclosed quote by its line and goes on with the next", async () => {
    const table = await readTable('text,label\ngood,a\n"open,b\nfine,c\n\n"closed",d\n"open again,e\n');
    expect(table.problems.map(({ line }) => line)).toEqual([3, 7]);
    expect(plainRows(table)).toEqual([[2, "good", "a"], [4, "fine", "c"], [6, "closed", "d"]]);
  });

  it("reports wrong numbers of cells and bytes that are no UTF-8, each by its line", async () => {
    const table = await readTable(bytes("text,label\none,a,extra\ntwo\ncaf", 0xe9, ",b\nfour,c\n"), { name: "x.csv" });
    expect(table.problems).toEqual([
      { line: 2, reason: "has 3 cells, the header has 2" },
      { line: 3, reason: "has 1 cell, the header has 2" },
      { line: 4, reason: expect.stringMatching(/UTF-8/) },
    ]);
    expect(plainRows(table)).toEqual([[5, "four", "c"]]);
  });

  it("takes semicolons where the header has them, and UTF-16 by its mark", async () => {
    expect(plainRows(await readTable("text;label\na, b;c\n", { name: "x.csv" }))).toEqual([[2, "a, b", "c"]]);
    const utf16 = new Uint8Array(Uint16Array.from([0xfeff, ...[..."text\tlabel\n好\ta\n"].map((character) => character.charCodeAt(0))]).buffer);
    expect(plainRows(await readTable(utf16))).toEqual([[2, "好", "a"]]);
  });

  it("gives back whatever cells a writer quoted", async () => {
    const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", " ", "中") });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 }), async (rows) => {
        const text = ["a,b", ...rows.map((cells) => cells.map((value) => `"${value.replaceAll('"', '""')}"`).join())].join("\n");
        const table = await readTable(text);
        expect(table.problems).toEqual([]);
        expect(table.rows.map(({ values }) => [values["a"], values["b"]])).toEqual(rows);
        for (const { line, values } of table.rows) expect(text.split("\n")[line - 1]).toContain(values["a"]!.split("\n")[0]!.replaceAll('"', '""'));
      }),
    );
  });
});

describe("TSV", () => {
  it("takes quotes as characters, as GLUE writes them", async () => {
    const table = await readTable('label\ttext\n0\t"lone quote\n1\tends with "\n0\t"both"\n', { name: "x.tsv" });
    expect(plainRows(table)).toEqual([[2, "0", '"lone quote'], [3, "1", 'ends with "'], [4, "0", '"both"']]);
  });

  it.each([
    ["tabs", 'a\tb\n"x\ty"\t1\n', "x\ty"],
    ["line ends", 'a\tb\n"x\ny"\t1\n', "x\ny"],
    ["doubled quotes", 'a\tb\n"say ""hi"""\t1\n', 'say "hi"'],
  ])("reads Excel's quoted cells with %s", async (_, text, expected) => {
    const table = await readTable(text, { name: "x.tsv" });
    expect(table.problems).toEqual([]);
    expect(plainRows(table)).toEqual([[2, expected, "1"]]);
  });
});

describe("JSON Lines", () => {
  it("reads objects, turns values to text, and reports lines that are none", async () => {
    const table = await readTable('{"text":"a\\nb","label":1}\n\n[1]\n{"text":"c","label":true,"extra":null}\n{broken\n{"text":"d"}\n{"constructor":"e"}\n', { name: "x.jsonl" });
    expect(table.columns).toEqual(["text", "label", "extra", "constructor"]);
    expect(plainRows(table)).toEqual([[1, "a\nb", "1"], [4, "c", "true", ""], [6, "d"], [7, "e"]]);
    expect(table.problems.map(({ line }) => line)).toEqual([3, 5]);
  });
});

describe("choosing columns", () => {
  it("reports empty texts and missing labels beside the table's own problems, by line", async () => {
    const { rows, problems } = labelledTexts(await readTable("text,label\none, a \n  ,b\nthree,\nfour,d,e\nfive,f\nsix,g\n"), { text: "text", label: "label" });
    expect(rows).toEqual([{ text: "one", label: "a", line: 2 }, { text: "five", label: "f", line: 6 }, { text: "six", label: "g", line: 7 }]);
    expect(problems.map(({ line }) => line)).toEqual([3, 4, 5]);
  });

  it("names the columns that exist", async () => {
    const table = await readTable("review,stars\nx,1\n");
    expect(() => labelledTexts(table, { text: "review", label: "label" })).toThrow(expect.objectContaining({ code: "COLUMN_MISSING", message: expect.stringContaining('"review", "stars"') }));
    expect(() => texts(table, { text: "__proto__" })).toThrow(/no column/);
  });

  it("refuses a file of which more than half is unusable", async () => {
    expect(() => labelledTexts({ name: "x", format: "csv", columns: ["a", "b"], rows: [{ line: 2, values: { a: "t", b: "l" } }], problems: [{ line: 3, reason: "r" }, { line: 4, reason: "r" }] }, { text: "a", label: "b" })).toThrow(
      expect.objectContaining({ code: "DATA_INVALID", message: expect.stringContaining("2 of 3 rows") }),
    );
  });
});

describe("what is no table", () => {
  it.each([["", "DATA_EMPTY"], ["\ufeff \n\n", "DATA_EMPTY"], ["text,label\n", "DATA_EMPTY"], ["a,a\n1,2\n", "DATA_INVALID"], ['"a,b\n1,2\n', "DATA_INVALID"]])("%j is %s", async (text, code) => {
    await expect(readTable(text)).rejects.toMatchObject({ code });
  });

  it("a file that is not there", async () => {
    await expect(readTableFile("/nowhere/reviews.csv")).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
  });
});

it("reads files, blobs and streams alike", async () => {
  const folder = await mkdtemp(join(tmpdir(), "heddle-table-"));
  await writeFile(join(folder, "x.csv"), "a,b\n1,2\n");
  const fromFile = await readTableFile(join(folder, "x.csv"));
  await rm(folder, { recursive: true });
  const file = new File(["a,b\n1,2\n"], "x.csv");
  for (const table of [await readTable(file), await readTable(file.stream()), fromFile]) expect(plainRows(table)).toEqual([[2, "1", "2"]]);
});

describe("real files", () => {
  const repository = resolve(import.meta.dirname, "../../../..");
  const shared = process.env["HEDDLE_SHARED"] ?? resolve(repository, "../shared");

  it("the demo's reviews", async () => {
    const { rows, problems } = labelledTexts(await readTableFile(join(repository, "examples/data/reviews.csv")), { text: "text", label: "label" });
    expect([rows.length, problems.length]).toEqual([1058, 0]);
  });

  it("GLUE's SST-2 and ChnSentiCorp, every row", async () => {
    if (!existsSync(join(shared, "data/text"))) return console.warn(`no ${shared}/data/text here: set HEDDLE_SHARED to read the real data sets in this test`);
    const expected: [string, number, string][] = [
      ["sst2-glue/train.tsv", 67_349, "sentence"],
      ["sst2-glue/dev.tsv", 872, "content"],
      ["zh-chnsenticorp/train.tsv", 9_600, "text_a"],
      ["zh-chnsenticorp/dev.tsv", 1_200, "text_a"],
      ["zh-chnsenticorp/test.tsv", 1_200, "text_a"],
    ];
    for (const [path, count, text] of expected) {
      const { rows, problems } = labelledTexts(await readTableFile(join(shared, "data/text", path)), { text, label: "label" });
      expect([path, rows.length, problems]).toEqual([path, count, []]);
      expect([...new Set(rows.map(({ label }) => label))].sort()).toEqual(["0", "1"]);
    }
  });
});
