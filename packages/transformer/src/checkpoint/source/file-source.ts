import { HeddleError } from "@heddle/kernels";
import { checkRange, type ByteSource } from "./byte-source.ts";
import { nodeModules } from "./node.ts";

/** A file on disk, read with `pread` through one open handle. Node only; close it. */
export async function openFileSource(path: string): Promise<ByteSource> {
  const { fs } = nodeModules("openFileSource");
  const handle = await fs.open(path, "r").catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  const sizeBytes = await handle.stat().then(
    (stat) => stat.size,
    async (cause: unknown) => {
      await handle.close();
      throw unreadable(path, cause);
    },
  );
  return {
    label: path,
    sizeBytes,
    async readRange(begin, end) {
      checkRange(path, begin, end, sizeBytes);
      const bytes = new Uint8Array(end - begin);
      let filled = 0;
      while (filled < bytes.length) {
        // One read returns at most 2 GiB on Linux, and may return less than was asked for.
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, begin + filled).catch((cause: unknown) => {
          throw unreadable(path, cause);
        });
        if (bytesRead === 0) {
          throw new HeddleError("FILE_UNREADABLE", `[${path}] ended at byte ${begin + filled}, it had ${sizeBytes} when it was opened: another program is writing it; wait for it and load again`);
        }
        filled += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

function unreadable(path: string, cause: unknown): HeddleError {
  return new HeddleError("FILE_UNREADABLE", `[${path}] could not be read (${cause instanceof Error ? cause.message : String(cause)}): check that it exists and that you may read it`, { cause });
}
