import { HeddleError } from "@heddle/kernels";
import { readTable, type ReadTableOptions, type Table } from "./table.ts";

/** `readTable` from a path (Node). Errors: FILE_UNREADABLE, NODE_REQUIRED and those of `readTable`. */
export async function readTableFile(path: string, options: ReadTableOptions = {}): Promise<Table> {
  // No import of node:fs: bundlers for browsers would stumble over it.
  const fs = globalThis.process?.getBuiltinModule?.("node:fs/promises");
  if (!fs) throw new HeddleError("NODE_REQUIRED", "[readTableFile] paths can be read only in Node: in a browser pass a picked File to readTable");
  let bytes: Uint8Array;
  try {
    bytes = await fs.readFile(path);
  } catch (cause) {
    throw new HeddleError("FILE_UNREADABLE", `[${path}] could not be read (${(cause as Error).message}): check the path; relative paths start at ${globalThis.process.cwd()}`, { cause });
  }
  return readTable(bytes, { name: path, ...options });
}
