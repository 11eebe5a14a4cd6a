import { select } from "../../data/select.ts";
import { readTable, type Table, type TableFormat } from "../../data/table.ts";
import type { TableSource } from "../../data/decode.ts";
import { readBytes } from "../../data/table-file.ts";
import type { RowProblem } from "../../data/records.ts";
import type { ItemFeatures } from "../item-features.ts";
import { findItemColumn } from "./columns.ts";
import { readParquetFile } from "./parquet.ts";

export interface ReadItemFeaturesOptions {
  /** Column with the items' ids. Default: one with a usual name. */
  readonly item?: string;
  /** Columns whose numbers are names, such as a brand's number. */
  readonly categories?: readonly string[];
  /** Default: by the extension of `name`; else by the first line. */
  readonly format?: TableFormat;
  /** File name, for the format and for messages. */
  readonly name?: string;
}

export interface ReadItemFeatures {
  readonly itemFeatures: ReadonlyMap<string, ItemFeatures>;
  /** Rows that are left out: without an id, or with one that came before. */
  readonly problems: readonly RowProblem[];
  /** What each column was taken for. */
  readonly columns: { readonly item: string; readonly categories: readonly string[]; readonly numbers: readonly string[]; readonly embedding?: string };
}

/**
 * Reads what is known of items, a row each: CSV, TSV or JSON Lines. A column in which every cell that is not empty is a number is a
 * number; one in which it is a list of as many numbers, two at least, is the embedding (the first such column); every other one holds
 * categories, named "column:value", several where a cell is a list or has "|" between them. An empty cell says nothing.
 *
 * Errors: DATA_EMPTY, DATA_INVALID, COLUMN_MISSING.
 */
export async function readItemFeatures(source: TableSource, { name, format, ...options }: ReadItemFeaturesOptions = {}): Promise<ReadItemFeatures> {
  return itemFeaturesOfTable(await readTable(source, { name: name ?? "items", ...(format && { format }) }), options);
}

/** `readItemFeatures` from a path (Node), also of Parquet where @duckdb/node-api is installed. Errors: FILE_UNREADABLE, NODE_REQUIRED, PACKAGE_MISSING and those of `readItemFeatures`. */
export async function readItemFeaturesFile(path: string, options: Omit<ReadItemFeaturesOptions, "name"> = {}): Promise<ReadItemFeatures> {
  if (/\.parquet$/i.test(path)) return itemFeaturesOfTable(await readParquetFile(path), options);
  return readItemFeatures(await readBytes(path), { ...options, name: path });
}

function itemFeaturesOfTable(table: Table, { item: given, categories: named = [] }: Pick<ReadItemFeaturesOptions, "item" | "categories">): ReadItemFeatures {
  const item = findItemColumn(table.name, table.columns, given);
  const others = table.columns.filter((column) => column !== item);
  const cellsOf = (column: string) => table.rows.map(({ values }) => (values[column] ?? "").trim()).filter((cell) => cell !== "");
  const isNumber = (column: string) => !named.includes(column) && cellsOf(column).every((cell) => Number.isFinite(Number(cell)));
  const numbers = others.filter(isNumber);
  const embedding = others.find((column) => !named.includes(column) && !numbers.includes(column) && isEmbedding(cellsOf(column)));
  const categories = others.filter((column) => column !== embedding && !numbers.includes(column));
  const seen = new Set<string>();
  const { rows, problems } = select(table, (values): readonly [string, ItemFeatures] | string => {
    const itemId = (values[item] ?? "").trim();
    if (itemId === "") return `the item (column ${item}) is missing`;
    if (seen.has(itemId)) return `repeats the item ${JSON.stringify(itemId)}, whose first row counts`;
    seen.add(itemId);
    const cell = (column: string) => (values[column] ?? "").trim();
    return [itemId, {
      categories: categories.flatMap((column) => valuesIn(cell(column)).map((value) => `${column}:${value}`)),
      numbers: Object.fromEntries(numbers.filter((column) => cell(column) !== "").map((column) => [column, Number(cell(column))])),
      ...(embedding !== undefined && cell(embedding) !== "" && { embedding: listIn(cell(embedding))!.map(Number) }),
    }];
  });
  return { itemFeatures: new Map(rows), problems, columns: { item, categories, numbers, ...(embedding !== undefined && { embedding }) } };
}

function isEmbedding(cells: readonly string[]): boolean {
  const lists = cells.map(listIn);
  return lists.length > 0 && lists.every((list) => list && list.length > 1 && list.length === lists[0]!.length && list.every((value) => value !== "" && Number.isFinite(Number(value))));
}

const valuesIn = (cell: string): string[] => (listIn(cell) ?? cell.split("|")).map((value) => value.trim()).filter((value) => value !== "");

/** The elements of a list, as JSON or DuckDB writes it; null for other texts. */
function listIn(cell: string): string[] | null {
  if (!cell.startsWith("[") || !cell.endsWith("]")) return null;
  try {
    return (JSON.parse(cell) as unknown[]).map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
  } catch {
    return cell.slice(1, -1).split(",").map((value) => value.trim().replace(/^'(.*)'$/, "$1"));
  }
}
