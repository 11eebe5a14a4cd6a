import { HeddleError } from "@heddle/kernels";
import type { RowProblem } from "./records.ts";
import type { Table } from "./table.ts";

export interface SelectedTexts<Row> {
  readonly rows: readonly Row[];
  /** The table's problems and those of the chosen columns, by line: tell the user of them. */
  readonly problems: readonly RowProblem[];
}

/**
 * The texts and labels of two columns, surrounding white space removed from labels. A row without text or label is a
 * problem. Errors: COLUMN_MISSING; DATA_INVALID where more than half of the rows cannot be used.
 */
export function labelledTexts(table: Table, columns: { text: string; label: string }): SelectedTexts<{ text: string; label: string; line: number }> {
  requireColumns(table, [columns.text, columns.label]);
  return select(table, (values, line) => {
    const text = values[columns.text] ?? "";
    const label = (values[columns.label] ?? "").trim();
    if (text.trim() === "") return `the text (column ${columns.text}) is empty`;
    return label === "" ? `the label (column ${columns.label}) is missing` : { text, label, line };
  });
}

/** The texts of one column. Errors as for `labelledTexts`. */
export function texts(table: Table, columns: { text: string }): SelectedTexts<{ text: string; line: number }> {
  requireColumns(table, [columns.text]);
  return select(table, (values, line) => {
    const text = values[columns.text] ?? "";
    return text.trim() === "" ? `the text (column ${columns.text}) is empty` : { text, line };
  });
}

function requireColumns({ name, columns }: Table, wanted: readonly string[]): void {
  const missing = wanted.find((column) => !columns.includes(column));
  if (missing === undefined) return;
  throw new HeddleError("COLUMN_MISSING", `[${name}] has no column ${JSON.stringify(missing)}; its columns are ${columns.map((column) => JSON.stringify(column)).join(", ")}: name one of them, and check that the first line names the columns`);
}

/** What `choose` makes of each row, or says against it. Error: DATA_INVALID where it says something against more than half of them. */
export function select<Row>(table: Table, choose: (values: Readonly<Record<string, string>>, line: number) => Row | string): SelectedTexts<Row> {
  const rows: Row[] = [];
  const problems: RowProblem[] = [...table.problems];
  for (const { values, line } of table.rows) {
    const chosen = choose(values, line);
    if (typeof chosen === "string") problems.push({ line, reason: chosen });
    else rows.push(chosen);
  }
  problems.sort((a, b) => a.line - b.line);
  if (problems.length > rows.length) {
    const examples = problems.slice(0, 3).map(({ line, reason }) => `line ${line} ${reason}`);
    throw new HeddleError("DATA_INVALID", `[${table.name}] ${problems.length} of ${problems.length + rows.length} rows cannot be used, so this is hardly the right file or format (read as ${table.format}): ${examples.join("; ")}`);
  }
  return { rows, problems };
}
