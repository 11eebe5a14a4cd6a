import { HeddleError } from "@heddle/kernels";
import { nodeModules, systemErrorCode } from "./node.ts";

/** The part of `node:fs/promises` that writing needs. Tests inject one whose disk fills up. */
export type WritableFileSystem = Pick<typeof import("node:fs/promises"), "open" | "rename" | "rm" | "mkdir" | "readdir">;

/** Part of the name of every temporary file, so that those of a killed process can be found and removed. */
const TEMPORARY_MARK = ".heddle-tmp-";

let filesStaged = 0;

/**
 * A file that comes into being whole or not at all: written under a temporary name in the same folder, flushed to the
 * disk, then renamed over the earlier one, which stays untouched until that moment.
 */
export interface StagedFile {
  /** Written so far. */
  readonly sizeBytes: number;
  write(bytes: Uint8Array): Promise<void>;
  /** Flushes everything to the disk; nothing can be written afterwards. */
  seal(): Promise<void>;
  /** Renames the sealed file to its real name. Call `syncFolder` after the last one. */
  publish(): Promise<void>;
  /** Removes the temporary file; does nothing after `publish`. */
  discard(): Promise<void>;
}

export async function stageFile(path: string, fileSystem?: WritableFileSystem): Promise<StagedFile> {
  const node = nodeModules("stageFile");
  const fs = fileSystem ?? node.fs;
  const temporary = node.path.join(node.path.dirname(path), `.${node.path.basename(path)}${TEMPORARY_MARK}${process.pid}-${filesStaged++}`);
  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      throw writeError(path, cause);
    }
  };
  const handle = await attempt(() => fs.open(temporary, "w"));
  let isOpen = true;
  let isPublished = false;
  let sizeBytes = 0;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await handle.close();
  };
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    write: (bytes) =>
      attempt(async () => {
        for (let written = 0; written < bytes.length; ) {
          written += (await handle.write(bytes, written, bytes.length - written)).bytesWritten;
        }
        sizeBytes += bytes.length;
      }),
    seal: () =>
      attempt(async () => {
        await handle.sync();
        await close();
      }),
    publish: () =>
      attempt(async () => {
        await close();
        await fs.rename(temporary, path);
        isPublished = true;
      }),
    async discard() {
      if (isPublished) return;
      await close();
      await fs.rm(temporary, { force: true });
    },
  };
}

/** Makes renames in `folder` survive a power cut. */
export async function syncFolder(folder: string, fileSystem?: WritableFileSystem): Promise<void> {
  const fs = fileSystem ?? nodeModules("syncFolder").fs;
  try {
    const handle = await fs.open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    // Windows and some network drives cannot flush a folder; the files themselves are already flushed.
    if (!["EPERM", "EISDIR", "EINVAL", "ENOTSUP", "EACCES"].includes(systemErrorCode(cause) ?? "")) throw writeError(folder, cause);
  }
}

/** Removes what a killed process left behind. Only for the holder of the folder's lock. */
export async function removeTemporaryFiles(folder: string, fileSystem?: WritableFileSystem): Promise<void> {
  const node = nodeModules("removeTemporaryFiles");
  const fs = fileSystem ?? node.fs;
  for (const name of await fs.readdir(folder)) {
    if (name.includes(TEMPORARY_MARK)) await fs.rm(node.path.join(folder, name), { force: true });
  }
}

/** What went wrong while writing `path`, as an error that says what to do. */
export function writeError(path: string, cause: unknown): unknown {
  const code = systemErrorCode(cause);
  if (code === undefined || HeddleError.isInstance(cause)) return cause;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new HeddleError("DISK_FULL", `[${path}] could not be written, the disk or your quota on it is full (${code}): free some space or choose an output folder on another disk; an earlier file there is untouched`, { cause });
  }
  return new HeddleError("FOLDER_NOT_WRITABLE", `[${path}] could not be written (${(cause as Error).message}): choose an output folder that exists or can be made and that you may write to; an earlier file there is untouched`, { cause });
}
