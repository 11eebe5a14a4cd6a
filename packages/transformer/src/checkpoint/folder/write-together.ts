import { removeTemporaryFiles, stageFile, syncFolder, writeError, type StagedFile, type WritableFileSystem } from "../source/atomic-file.ts";
import { nodeModules } from "../source/node.ts";
import { lockFolder, type FolderLock } from "./lock.ts";

export interface WriteModelFolderOptions {
  /** A lock that the caller already holds on this folder and keeps; without it the folder is locked for the write. */
  readonly lock?: FolderLock;
  readonly signal?: AbortSignal;
  /** Default Node's. */
  readonly fileSystem?: WritableFileSystem;
}

export interface WrittenFile {
  readonly name: string;
  readonly sizeBytes: number;
}

/** One file of a folder; its name may begin with a sub-folder, as `onnx/model.onnx`. */
export interface FileToWrite {
  readonly name: string;
  /** Writes everything and seals. */
  write(file: StagedFile): Promise<void>;
}

/**
 * Writes files of a folder that belong together. All are first written and flushed under temporary names; only when the
 * last one is safe on the disk are they renamed, in their order. A full disk, an abort or a crash before that leaves the
 * earlier folder as it was. Node only.
 *
 * @param isObsolete asked for every file in the folders written into: an earlier one that must not stand beside the new ones
 * @returns the files in their order
 */
export async function writeTogether(folder: string, files: readonly FileToWrite[], options: WriteModelFolderOptions, isObsolete: (name: string) => boolean = () => false): Promise<WrittenFile[]> {
  const { path, fs: nodeFs } = nodeModules("writeModelFolder");
  const fileSystem = options.fileSystem ?? nodeFs;
  const lock = options.lock ?? (await lockFolder(folder));
  const subfolders = [...new Set(files.map(({ name }) => path.dirname(name)))];
  const written = new Set(files.map(({ name }) => name));
  const staged: StagedFile[] = [];
  const made: string[] = [];
  try {
    for (const subfolder of subfolders) {
      const first = await prepareFolder(path.join(lock.folder, subfolder), fileSystem);
      if (first !== undefined) made.push(first);
    }
    for (const { name, write } of files) {
      const file = await stageFile(path.join(lock.folder, name), fileSystem);
      staged.push(file);
      await write(file);
    }
    for (const subfolder of subfolders) {
      const names = (await fileSystem.readdir(path.join(lock.folder, subfolder))).map((name) => (subfolder === "." ? name : `${subfolder}/${name}`));
      for (const name of names) if (!written.has(name) && isObsolete(name)) await fileSystem.rm(path.join(lock.folder, name), { force: true });
    }
    for (const file of staged) await file.publish();
    made.length = 0;
    for (const subfolder of subfolders) await syncFolder(path.join(lock.folder, subfolder), fileSystem);
    return files.map(({ name }, i) => ({ name, sizeBytes: staged[i]!.sizeBytes }));
  } finally {
    for (const file of staged) await file.discard();
    for (const empty of made) await fileSystem.rm(empty, { recursive: true, force: true });
    if (!options.lock) await lock.release();
  }
}

/** Makes it where needed, gives the outermost folder made, and clears what a killed process left there. */
async function prepareFolder(folder: string, fileSystem: WritableFileSystem): Promise<string | undefined> {
  try {
    const made = await fileSystem.mkdir(folder, { recursive: true });
    await removeTemporaryFiles(folder, fileSystem);
    return made;
  } catch (cause) {
    throw writeError(folder, cause);
  }
}
