import { readBytes } from "../../data/table-file.ts";
import { readParquetFile } from "./parquet.ts";
import { interactionsOfTable, readInteractions, type ReadInteractions, type ReadInteractionsOptions } from "./read.ts";

export interface ReadInteractionsFileOptions extends Omit<ReadInteractionsOptions, "format"> {
  /** Default: by the path's extension; else by the first lines. */
  readonly format?: ReadInteractionsOptions["format"] | "parquet";
}

/**
 * `readInteractions` from a path (Node), also of Parquet where the package @duckdb/node-api is installed.
 * Errors: FILE_UNREADABLE, NODE_REQUIRED, PACKAGE_MISSING and those of `readInteractions`.
 */
export async function readInteractionsFile(path: string, { format, ...options }: ReadInteractionsFileOptions = {}): Promise<ReadInteractions> {
  if (format === "parquet" || (format === undefined && /\.parquet$/i.test(path))) return interactionsOfTable(await readParquetFile(path), options);
  return readInteractions(await readBytes(path), { name: path, ...options, ...(format && { format }) });
}
