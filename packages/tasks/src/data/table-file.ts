import type * as FileSystem from "node:fs/promises";
import { HeddleError } from "@heddle/kernels";
import { readTable, type ReadTableOptions, type Table } from "./table.ts";

/** `readTable` from a path (Node). Errors: FILE_UNREADABLE, NODE_REQUIRED and those of `readTable`. */
export async function readTableFile(path: string, options: ReadTableOptions = {}): Promise<Table> {
  return readTable(await readBytes(path), { name: path, ...options });
}

/** Errors: FILE_UNREADABLE, NODE_REQUIRED. */
export async function readBytes(path: string): Promise<Uint8Array> {
  return withFile(path, (fs) => fs.readFile(path));
}

/** Throws FILE_UNREADABLE or NODE_REQUIRED where `readBytes` would: for files that something else reads. */
export async function requireFile(path: string): Promise<void> {
  await withFile(path, (fs) => fs.access(path, fs.constants.R_OK));
}

async function withFile<T>(path: string, work: (fs: typeof FileSystem) => Promise<T>): Promise<T> {
  // No import of node:fs: bundlers for browsers would stumble over it.
  const fs = globalThis.process?.getBuiltinModule?.("node:fs/promises");
  if (!fs) throw new HeddleError("NODE_REQUIRED", `[${path}] paths can be read only in Node: in a browser pass a picked File to readTable or readInteractions`);
  try {
    return await work(fs);
  } catch (cause) {
    throw new HeddleError("FILE_UNREADABLE", `[${path}] could not be read (${(cause as Error).message}): check the path; relative paths start at ${globalThis.process.cwd()}`, { cause });
  }
}
