const BLOCK_BYTES = 512;

/**
 * The regular files of a ustar archive in memory. Names are as stored; the caller decides which to trust.
 * Format: POSIX.1-1988 ustar, name at 0, size in octal at 124, type at 156.
 */
export function* readTar(archive: Uint8Array): Generator<{ readonly name: string; readonly data: Uint8Array }> {
  const text = new TextDecoder();
  const field = (start: number, length: number) => text.decode(archive.subarray(start, start + length)).replace(/\0.*$/s, "");
  for (let offset = 0; offset + BLOCK_BYTES <= archive.length && archive[offset] !== 0; ) {
    const sizeBytes = Number.parseInt(field(offset + 124, 12), 8);
    const start = offset + BLOCK_BYTES;
    if (!(sizeBytes >= 0) || start + sizeBytes > archive.length) throw new RangeError(`tar: ${field(offset, 100)} is cut short or has no size`);
    const type = field(offset + 156, 1);
    if (type === "0" || type === "") yield { name: field(offset, 100), data: archive.subarray(start, start + sizeBytes) };
    offset = start + Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
  }
}
