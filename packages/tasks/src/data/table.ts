import { HeddleError } from "@heddle/kernels";
import { parseQuoted } from "./csv.ts";
import { decodeText, type TableSource } from "./decode.ts";
import { parseJsonLines } from "./json-lines.ts";
import type { RawTable, RowProblem } from "./records.ts";
import { parseTsv } from "./tsv.ts";

export type TableFormat = "csv" | "tsv" | "jsonl";

export interface ReadTableOptions {
  /** Default: by the extension of `name`, else by the first line. */
  readonly format?: TableFormat;
  /** File name, for the format and for messages. */
  readonly name?: string;
}

export interface TableRow {
  /** 1-based line where the row starts; the header is line 1. In Parquet, which has no lines, the row's number. */
  readonly line: number;
  /** By column name. Numbers and booleans of JSON Lines as text, null and absent keys as "", objects as JSON. */
  readonly values: Readonly<Record<string, string>>;
}

export interface Table {
  readonly name: string;
  /** What it was read as: one of `TableFormat`, or "parquet". */
  readonly format: TableFormat | "parquet";
  readonly columns: readonly string[];
  readonly rows: readonly TableRow[];
  /** Rows that could not be read, by line. */
  readonly problems: readonly RowProblem[];
}

/**
 * Reads CSV (RFC 4180; comma or semicolon), TSV (with or without quoting) or JSON Lines. The first line of CSV and TSV
 * names the columns. Rows that cannot be read come back as problems with their line numbers.
 *
 * @param source the content: text, bytes, a picked file or a stream
 * Errors: DATA_EMPTY, DATA_INVALID.
 */
export async function readTable(source: TableSource, options: ReadTableOptions = {}): Promise<Table> {
  const name = options.name ?? (typeof File !== "undefined" && source instanceof File ? source.name : "data");
  const { text, undecodableLines } = await decodeText(source);
  if (text.trim() === "") throw new HeddleError("DATA_EMPTY", `[${name}] is empty: give a file with a header line and at least one row`);
  const format = options.format ?? formatOf(name, text);
  const isDecodable = (line: number, lastLine = line): boolean => {
    if (undecodableLines.size === 0) return true;
    for (let at = line; at <= lastLine; at++) if (undecodableLines.has(at)) return false;
    return true;
  };
  const table = format === "jsonl" ? jsonTable(text, isDecodable) : delimitedTable(name, format === "tsv" ? parseTsv(text, name) : parseQuoted(text, csvDelimiter(text), name), isDecodable);
  if (table.rows.length + table.problems.length === 0) throw new HeddleError("DATA_EMPTY", `[${name}] has a header line and no rows: add rows below it`);
  return { name, format, ...table };
}

type TableBody = Pick<Table, "columns" | "rows" | "problems">;

const UNDECODABLE = "is not valid UTF-8; save the file as UTF-8";

function jsonTable(text: string, isDecodable: (line: number) => boolean): TableBody {
  const { columns, rows, problems } = parseJsonLines(text);
  const spoiled = rows.filter(({ line }) => !isDecodable(line)).map(({ line }) => ({ line, reason: UNDECODABLE }));
  return { columns, rows: rows.filter(({ line }) => isDecodable(line)), problems: byLine([...problems, ...spoiled]) };
}

function delimitedTable(name: string, { records, problems: unread }: RawTable, isDecodable: (line: number, lastLine: number) => boolean): TableBody {
  const [header, ...body] = records;
  if (!header || unread.some(({ line }) => line < header.line)) throw new HeddleError("DATA_INVALID", `[${name}] line ${unread[0]?.line ?? 1}, the header, ${unread[0]?.reason ?? "is missing"}`);
  const columns = header.cells.map((cell) => cell.trim());
  const twice = columns.find((column, i) => columns.indexOf(column) !== i);
  if (twice !== undefined) throw new HeddleError("DATA_INVALID", `[${name}] the header names the column ${JSON.stringify(twice)} twice: rename one of them`);
  const rows: TableRow[] = [];
  const problems: RowProblem[] = [...unread];
  for (const { cells, line, lastLine } of body) {
    if (!isDecodable(line, lastLine)) problems.push({ line, reason: UNDECODABLE });
    else if (cells.length !== columns.length) problems.push({ line, reason: `has ${cells.length} ${cells.length === 1 ? "cell" : "cells"}, the header has ${columns.length}` });
    else rows.push({ line, values: Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(columns.map((column, i) => [column, cells[i]!]))) });
  }
  return { columns, rows, problems: byLine(problems) };
}

function byLine(problems: RowProblem[]): RowProblem[] {
  return problems.sort((a, b) => a.line - b.line);
}

function formatOf(name: string, text: string): TableFormat {
  const extension = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase();
  if (extension === "csv" || extension === "tsv" || extension === "jsonl") return extension;
  if (extension === "ndjson") return "jsonl";
  const header = firstLine(text);
  if (header.trimStart().startsWith("{")) return "jsonl";
  return header.includes("\t") ? "tsv" : "csv";
}

/** Excel writes semicolons where the comma is the decimal sign. */
function csvDelimiter(text: string): string {
  const header = firstLine(text).replace(/"[^"]*"/g, "");
  const count = (delimiter: string): number => header.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best));
}

function firstLine(text: string): string {
  return /[^\n]+/.exec(text)?.[0] ?? "";
}
