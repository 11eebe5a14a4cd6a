import { checkRange, type ByteSource } from "../source/byte-source.ts";
import { downloadFile, downloadRange, type HubContext } from "./download.ts";
import type { HubFile } from "./store/store.ts";

/** The least that is asked for at once: the header of most safetensors files. */
const READ_AHEAD_BYTES = 64 * 1024;

/**
 * A file of the Hub. What is read before `download` is a header, and brings the file's beginning alone; all else is read from the store,
 * where `download` puts the whole file. Errors: those of `downloadFile`.
 */
export function hubSource(file: HubFile, context: HubContext): ByteSource {
  const { path, sizeBytes } = file;
  const label = `${context.repository}/${path}`;
  let near: ByteSource | undefined;
  let start = new Uint8Array(0);
  return {
    label,
    sizeBytes,
    async readRange(begin, end) {
      checkRange(label, begin, end, sizeBytes);
      near ??= await context.store.open(file);
      if (near) return near.readRange(begin, end);
      if (end > start.length) start = await downloadRange(file, 0, Math.min(sizeBytes, Math.max(end, READ_AHEAD_BYTES)), context);
      return start.slice(begin, end);
    },
    async download() {
      start = new Uint8Array(0);
      near ??= await context.store.open(file);
      if (near) return;
      await downloadFile(file, context);
      near = await context.store.open(file);
    },
    async close() {
      start = new Uint8Array(0);
      await near?.close();
      near = undefined;
    },
  };
}
