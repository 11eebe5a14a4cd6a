import { parseQuoted } from "./csv.ts";
import type { RawTable } from "./records.ts";

/**
 * Tab-separated values come in two kinds: without quoting, where a quote is an ordinary character (GLUE, most corpora),
 * and as Excel writes them, quoted like CSV. A file is taken as quoted only where nothing else makes sense of it:
 * the quoted reading is flawless, and the plain one has broken rows or shows cells with doubled quotes.
 */
export function parseTsv(text: string, name: string): RawTable {
  const plain = parsePlain(text);
  if (!text.includes('"')) return plain;
  const columns = plain.records[0]?.cells.length ?? 0;
  const isBroken = plain.records.some(({ cells }) => cells.length !== columns);
  const hasDoubledQuotes = plain.records.some(({ cells }) => cells.some((cell) => cell.includes('""') && /^"(?:[^"]|"")+"$/.test(cell)));
  if (!isBroken && !hasDoubledQuotes) return plain;
  const quoted = parseQuoted(text, "\t", name);
  const isFlawless = quoted.problems.length === 0 && quoted.records.every(({ cells }) => cells.length === quoted.records[0]!.cells.length);
  return isFlawless ? quoted : plain;
}

function parsePlain(text: string): RawTable {
  const records = text.split("\n").flatMap((line, i) => (line === "" ? [] : [{ cells: line.split("\t"), line: i + 1, lastLine: i + 1 }]));
  return { records, problems: [] };
}
