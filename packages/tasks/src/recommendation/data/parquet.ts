import { HeddleError } from "@heddle/kernels";
import type * as DuckDB from "@duckdb/node-api";
import { requireFile } from "../../data/table-file.ts";
import type { Table } from "../../data/table.ts";

/**
 * The rows of a Parquet file (Node) with every cell as text; a row's line is its number, from 1. DuckDB reads it, an
 * optional peer. Errors: FILE_UNREADABLE, NODE_REQUIRED, PACKAGE_MISSING with the line that installs DuckDB, DATA_INVALID, DATA_EMPTY.
 */
export async function readParquetFile(path: string): Promise<Table> {
  await requireFile(path);
  const { DuckDBInstance } = await loadDuckDb();
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM read_parquet('${path.replaceAll("'", "''")}')`);
    const columns = reader.columnNames();
    if (reader.currentRowCount === 0) throw new HeddleError("DATA_EMPTY", `[${path}] has no rows`);
    const cells = reader.getColumns();
    const rows = Array.from({ length: reader.currentRowCount }, (_, row) => {
      const values = Object.create(null) as Record<string, string>;
      columns.forEach((column, i) => (values[column] = (cells[i]![row] as string | null) ?? ""));
      return { line: row + 1, values };
    });
    return { name: path, format: "parquet", columns, rows, problems: [] };
  } catch (cause) {
    if (HeddleError.isInstance(cause)) throw cause;
    throw new HeddleError("DATA_INVALID", `[${path}] DuckDB cannot read it as Parquet (${(cause as Error).message.split("\n")[0]}): check that the file is whole and not of another format`, { cause });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function loadDuckDb(): Promise<typeof DuckDB> {
  // A variable, so that bundlers leave the native module alone.
  const name = "@duckdb/node-api";
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as typeof DuckDB;
  } catch (cause) {
    throw new HeddleError("PACKAGE_MISSING", `[parquet] the package ${name} is not installed or does not load here (${(cause as Error).message.split("\n")[0]}); add it with: npm install ${name}`, { cause });
  }
}
