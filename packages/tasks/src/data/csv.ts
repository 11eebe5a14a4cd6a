import { HeddleError } from "@heddle/kernels";
import { parse } from "csv-parse/browser/esm/sync";
import { countLineEnds, type RawRecord, type RawTable, type RowProblem } from "./records.ts";

/** Each unclosed quote means reading the rest of the file once more. */
const MAX_UNCLOSED_QUOTES = 100;

/**
 * Records of a file whose cells may be quoted (RFC 4180). A quote inside an unquoted cell is an ordinary character.
 * A quote that is opened and not properly closed spoils its own line, not the rest of the file.
 *
 * @param text with `\n` as line end
 */
export function parseQuoted(text: string, delimiter: string, name: string): RawTable {
  const records: RawRecord[] = [];
  const problems: RowProblem[] = [];
  for (let rest = text, line = 1; rest !== ""; ) {
    const piece = parseUntilUnclosedQuote(rest, delimiter, line);
    for (const record of piece.records) records.push(record);
    if (piece.unclosed === null) break;
    problems.push({ line: piece.unclosed.line, reason: "a quote is opened and not properly closed; close it, and double the quotes inside" });
    if (problems.length > MAX_UNCLOSED_QUOTES) {
      throw new HeddleError("DATA_INVALID", `[${name}] more than ${MAX_UNCLOSED_QUOTES} rows open a quote that is not properly closed, the first on lines ${problems.slice(0, 5).map((problem) => problem.line).join(", ")}: save it as RFC 4180 CSV (quotes doubled inside quoted cells), or as .tsv if it has no quoting`);
    }
    rest = piece.unclosed.rest;
    line = piece.unclosed.line + 1;
  }
  return { records, problems };
}

interface Piece {
  readonly records: RawRecord[];
  /** Where reading has to start anew: after the line with the unclosed quote. */
  readonly unclosed: { readonly line: number; readonly rest: string } | null;
}

interface ParsedRecord {
  readonly record: string[];
  /** With blank lines before it and the line end after it. */
  readonly raw: string;
}

function parseUntilUnclosedQuote(text: string, delimiter: string, firstLine: number): Piece {
  const parsed: ParsedRecord[] = [];
  try {
    parse(text, {
      delimiter,
      record_delimiter: "\n",
      raw: true,
      info: true,
      relax_quotes: true,
      relax_column_count: true,
      skip_empty_lines: true,
      on_record: (record: unknown) => void parsed.push(record as ParsedRecord),
    });
  } catch (error) {
    // The last record runs into the end of the file; those before it have been handed over.
    if ((error as { code?: unknown }).code !== "CSV_QUOTE_NOT_CLOSED") throw error;
  }
  const records: RawRecord[] = [];
  let line = firstLine;
  let offset = 0;
  for (const { record, raw } of parsed) {
    const blank = leadingBlankLines(raw);
    const body = raw.slice(blank);
    const begin = line + blank;
    const lineEnds = countLineEnds(body);
    const lastLine = begin + lineEnds - (body.endsWith("\n") ? 1 : 0);
    if (lastLine > begin && !isStrict(body, delimiter)) return { records, unclosed: restart(text, offset + blank, begin) };
    records.push({ cells: record, line: begin, lastLine });
    line = begin + lineEnds;
    offset += raw.length;
  }
  const blank = leadingBlankLines(text.slice(offset));
  return { records, unclosed: offset + blank < text.length ? restart(text, offset + blank, line + blank) : null };
}

function restart(text: string, offset: number, line: number): { line: number; rest: string } {
  const end = text.indexOf("\n", offset);
  return { line, rest: end < 0 ? "" : text.slice(end + 1) };
}

function leadingBlankLines(text: string): number {
  let count = 0;
  while (text[count] === "\n") count++;
  return count;
}

/** Whether every cell of a record is either quoted by the rules or free of a quote at its start. */
function isStrict(raw: string, delimiter: string): boolean {
  const cell = new RegExp(`(?:"(?:[^"]|"")*"|(?!")[^\\n${delimiter}]*)(?:${delimiter}|\\n?$)`, "y");
  while (cell.lastIndex < raw.length) if (!cell.test(raw)) return false;
  return true;
}
