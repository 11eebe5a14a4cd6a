/** What `readTable` accepts besides its source. */
export interface ReadTableOptions {
  /** Default: by `name`'s extension, else by the first line. */
  readonly format?: TableFormat;
  /** File name, for the format and for messages. */
  readonly name?: string;
}

export type TableFormat = "csv" | "tsv" | "jsonl";

export interface TableRow {
  /** 1-based line where the row starts; the header is line 1. */
  readonly line: number;
  /** By column name. Numbers and booleans of JSON Lines as text, null as "", objects as JSON. */
  readonly values: Readonly<Record<string, string>>;
}

/** A row that cannot be used, and why. */
export interface RowProblem {
  readonly line: number;
  readonly reason: string;
}

export interface Table {
  readonly name: string;
  readonly format: TableFormat;
  readonly columns: readonly string[];
  readonly rows: readonly TableRow[];
  readonly problems: readonly RowProblem[];
}
