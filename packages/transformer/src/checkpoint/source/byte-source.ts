import { HeddleError } from "@heddle/kernels";

/** Random access to the bytes of a file, wherever it lies. */
export interface ByteSource {
  /** For messages: a path, a file name, an address. */
  readonly label: string;
  readonly sizeBytes: number;
  /** Bytes `begin` (inclusive) to `end` (exclusive) in memory of their own, which the caller may keep and change. */
  readRange(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Brings a file of the Hub near, whole and checked; needed before anything but its header is read. Absent where bytes are near. */
  download?(): Promise<void>;
  close(): Promise<void>;
}

export function memorySource(bytes: Uint8Array, label = "memory"): ByteSource {
  return {
    label,
    sizeBytes: bytes.byteLength,
    async readRange(begin, end) {
      checkRange(label, begin, end, bytes.byteLength);
      return Uint8Array.from(bytes.subarray(begin, end));
    },
    async close() {},
  };
}

/** A `Blob`, or a `File` that a user dropped on a page. */
export function blobSource(blob: Blob, label = "name" in blob ? String(blob.name) : "blob"): ByteSource {
  return {
    label,
    sizeBytes: blob.size,
    async readRange(begin, end) {
      checkRange(label, begin, end, blob.size);
      try {
        return new Uint8Array(await blob.slice(begin, end).arrayBuffer());
      } catch (cause) {
        throw new HeddleError("FILE_UNREADABLE", `[${label}] the browser could not read the file: it may have changed or moved since it was picked; pick it again`, { cause });
      }
    },
    async close() {},
  };
}

export function checkRange(label: string, begin: number, end: number, sizeBytes: number): void {
  if (!(begin >= 0 && begin <= end && end <= sizeBytes)) {
    throw new HeddleError("INVALID_ARGUMENT", `[${label}] bytes ${begin} to ${end} were asked for, the file has ${sizeBytes}: stay within them`);
  }
}
