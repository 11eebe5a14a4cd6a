import { HeddleError, labelledTexts, readTableFile, texts, type RowProblem, type Table } from "@heddle/tasks";
import { count, countOf } from "../screen/format.ts";
import type { Session } from "../session/session.ts";

const MAX_PROBLEMS_SHOWN = 5;

/** A column, and the option that names it. */
export interface ColumnChoice {
  readonly name: string;
  readonly option: string;
}

/** The labelled rows of a file; those that cannot be used are reported by line. */
export async function readLabelledRows(session: Session, path: string, text: ColumnChoice, label: ColumnChoice) {
  const table = await readTableFile(path);
  requireColumns(table, [text, label]);
  const { rows, problems } = labelledTexts(table, { text: text.name, label: label.name });
  if (problems.length > 0) session.event({ type: "badRows", file: path, count: problems.length, rows: problems });
  reportProblems(session, path, problems, rows.length);
  return rows;
}

/** The texts of a file with their lines; rows without one are reported to people only, as each JSON line is an answer. */
export async function readTexts(session: Session, path: string, text: ColumnChoice) {
  const table = await readTableFile(path);
  requireColumns(table, [text]);
  const { rows, problems } = texts(table, { text: text.name });
  reportProblems(session, path, problems, rows.length);
  return rows;
}

function requireColumns({ name, columns }: Table, wanted: readonly ColumnChoice[]): void {
  const missing = wanted.find((column) => !columns.includes(column.name));
  if (!missing) return;
  const known = columns.map((column) => JSON.stringify(column)).join(", ");
  throw new HeddleError("COLUMN_MISSING", `[${name}] has no column ${JSON.stringify(missing.name)}; its columns are ${known}: choose one with ${missing.option} COLUMN`);
}

/** Names rows that cannot be used, a few by their lines. */
export function reportProblems(session: Session, path: string, problems: readonly RowProblem[], usable: number): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, MAX_PROBLEMS_SHOWN).map(({ line, reason }) => `\n  line ${line} ${reason}`);
  const more = problems.length > shown.length ? `\n  and ${count(problems.length - shown.length)} more` : "";
  session.warn(`${path}: ${count(problems.length)} of ${countOf(problems.length + usable, "row")} cannot be used and ${problems.length === 1 ? "is" : "are"} left out${shown.join("")}${more}`);
}
