import { HeddleError } from "@heddle/kernels";
import { lockFolder, type FolderLock } from "../../folder/lock.ts";
import { stageFile, syncFolder, writeError, type WritableFileSystem } from "../../source/atomic-file.ts";
import type { ByteSource } from "../../source/byte-source.ts";
import { openFileSource } from "../../source/file-source.ts";
import { nodeModules, systemErrorCode } from "../../source/node.ts";
import { takeTurn } from "./turns.ts";
import type { HubFile, HubStore, PartialFile } from "./store.ts";

const POLL_MS = 100;
/** A holder that writes nothing for this long is not waited for. */
const PATIENCE_MS = 120_000;

/** What of Node's a cache folder needs. Tests inject one whose disk fills up. */
export type CacheFileSystem = WritableFileSystem & Pick<typeof import("node:fs/promises"), "statfs">;

/**
 * A folder of the disk, laid out as huggingface_hub's cache: `refs/` says which commit a branch is, `blobs/` has contents by their hashes.
 * Each finds and shares what the other downloaded. Beside them `trees/` has the list of a commit's files. Node only.
 *
 * @param cacheFolder of all repositories
 */
export function folderStore(cacheFolder: string, repository: string, fileSystem?: CacheFileSystem): HubStore {
  const { fs: nodeFs, path } = nodeModules("hub");
  const fs = fileSystem ?? nodeFs;
  const root = path.join(cacheFolder, `models--${repository.replaceAll("/", "--")}`);
  const blobPath = (file: HubFile) => path.join(root, "blobs", file.hash.hex);
  return {
    place: cacheFolder,
    async readText(name) {
      return nodeFs.readFile(path.join(root, name), "utf8").catch(() => undefined);
    },
    async writeText(name, text) {
      const target = path.join(root, name);
      await attempt(target, () => fs.mkdir(path.dirname(target), { recursive: true }));
      const staged = await stageFile(target, fs);
      try {
        await staged.write(new TextEncoder().encode(text));
        await staged.seal();
        await staged.publish();
      } finally {
        await staged.discard();
      }
    },
    async open(file) {
      return openWhole(blobPath(file), file);
    },
    async claim(file, onWait, signal) {
      const folder = `${blobPath(file)}.partial`;
      const leave = await takeTurn(folder, () => onWait("this process"), signal);
      try {
        const lock = await waitForLock(folder, onWait, signal);
        return await openPartial(lock, blobPath(file), file, fs, leave);
      } catch (error) {
        leave();
        throw error;
      }
    },
  };
}

/** Undefined where it is missing, or of another size: something else damaged it, and it is downloaded again. */
async function openWhole(blob: string, { sizeBytes }: HubFile): Promise<ByteSource | undefined> {
  const stat = await nodeModules("hub").fs.stat(blob).catch(() => undefined);
  return stat?.isFile() && stat.size === sizeBytes ? openFileSource(blob) : undefined;
}

/** Another process that downloads the same file is waited for as long as its file grows. */
async function waitForLock(folder: string, onWait: (who: string) => void, signal?: AbortSignal): Promise<FolderLock> {
  const { fs, path } = nodeModules("hub");
  let size = -1;
  let patienceUntil = 0;
  let announced = false;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await lockFolder(folder);
    } catch (error) {
      if (!HeddleError.isInstance(error)) throw error;
      // The one before us may just have removed the folder.
      const isGone = error.code === "FOLDER_NOT_WRITABLE" && systemErrorCode(error.cause) === "ENOENT";
      if (error.code !== "FOLDER_IN_USE" && !isGone) throw error;
      const now = await fs.stat(path.join(folder, "bytes")).then((stat) => stat.size, () => 0);
      if (now !== size) patienceUntil = performance.now() + PATIENCE_MS;
      size = now;
      if (performance.now() > patienceUntil) throw error;
      if (!announced && !isGone) onWait(/process \d+ on \S+?(?=:)/.exec(error.message)?.[0] ?? "another process");
      announced ||= !isGone;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function openPartial(lock: FolderLock, blob: string, file: HubFile, fs: CacheFileSystem, leave: () => void): Promise<PartialFile> {
  const { path } = nodeModules("hub");
  const bytesPath = path.join(lock.folder, "bytes");
  const handle = await attempt(bytesPath, () => fs.open(bytesPath, "a+")).catch(async (error: unknown) => {
    await lock.release();
    throw error;
  });
  let sizeBytes = (await handle.stat()).size;
  let isPublished = false;
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    async requireRoom() {
      const { bavail, bsize } = await fs.statfs(lock.folder);
      const [needed, free] = [file.sizeBytes - sizeBytes, bavail * bsize];
      if (needed <= free) return;
      throw new HeddleError("DISK_FULL", `[${file.path}] needs ${formatMb(needed)} more, its disk has ${formatMb(free)}: free some space, or choose a cache folder on another disk (cacheFolder, or HEDDLE_CACHE), here ${path.dirname(path.dirname(lock.folder))}`);
    },
    append: (bytes) =>
      attempt(bytesPath, async () => {
        for (let written = 0; written < bytes.length; ) {
          const { bytesWritten } = await handle.write(bytes, written, bytes.length - written);
          written += bytesWritten;
          sizeBytes += bytesWritten;
        }
      }),
    async readRange(begin, end) {
      const bytes = new Uint8Array(end - begin);
      for (let filled = 0; filled < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, begin + filled);
        if (bytesRead === 0) throw new HeddleError("FILE_UNREADABLE", `[${bytesPath}] ended at byte ${begin + filled}, although ${sizeBytes} were written: leave the cache to one program at a time, and load again`);
        filled += bytesRead;
      }
      return bytes;
    },
    clear: () =>
      attempt(bytesPath, async () => {
        await handle.truncate(0);
        sizeBytes = 0;
      }),
    publish: () =>
      attempt(blob, async () => {
        await handle.sync();
        await fs.rename(bytesPath, blob);
        isPublished = true;
        await syncFolder(path.dirname(blob), fs);
      }),
    async release() {
      await handle.close();
      if (sizeBytes === 0 && !isPublished) await fs.rm(bytesPath, { force: true });
      await lock.release();
      // Not empty where bytes are left, or where the next one has its lock there by now.
      await nodeModules("hub").fs.rmdir(lock.folder).catch(() => undefined);
      leave();
    },
  };
}

/** A full disk and missing rights as errors that say what to do. */
async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const error = writeError(path, cause);
    if (!HeddleError.isInstance(error) || error === cause) throw error;
    const choose = error.code === "DISK_FULL" ? "free some space and load again, which goes on where this ended; or choose a cache folder on another disk" : "choose a cache folder that you may write to";
    throw new HeddleError(error.code, `[${path}] could not be written (${systemErrorCode(cause)}): ${choose} (cacheFolder, or HEDDLE_CACHE)`, { cause });
  }
}

const formatMb = (bytes: number) => `${Math.ceil(bytes / 1e6).toLocaleString("en")} MB`;
