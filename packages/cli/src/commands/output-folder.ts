import { existsSync } from "node:fs";
import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { HeddleError, lockFolder, type FolderLock } from "@heddle/tasks";
import { someOf } from "../screen/format.ts";

const CHECKPOINT = /^checkpoint-(\d+)$/;
/** Locks, and files that were not finished. */
const OWN_FILE = /^\..*heddle[.-]/;

/** The folder that a command writes. Of a training run the finished model lies in it, the run's checkpoints in `checkpoints`. */
export class OutputFolder {
  readonly checkpoints: string;

  private constructor(
    readonly path: string,
    readonly lock: FolderLock,
    /** The outermost folder that had to be made. */
    private readonly made: string | undefined,
  ) {
    this.checkpoints = join(path, "checkpoints");
  }

  /** Takes the folder for this run. Errors: FOLDER_IN_USE, FOLDER_NOT_WRITABLE. */
  static async open(path: string): Promise<OutputFolder> {
    // `lockFolder` makes it too, and says why it cannot; this tells what was new.
    const made = await mkdir(path, { recursive: true }).catch(() => undefined);
    return new OutputFolder(path, await lockFolder(path), made);
  }

  /** Errors: FOLDER_NOT_EMPTY where a new run would replace something, or where there is nothing to resume. */
  async requireRoom({ resume, overwrite }: { resume: boolean; overwrite: boolean }): Promise<void> {
    const checkpoint = await this.newestCheckpoint();
    const finished = existsSync(join(this.path, "config.json")) || existsSync(join(this.path, "model.safetensors"));
    if (resume && finished && checkpoint === undefined) {
      throw new HeddleError("FOLDER_NOT_EMPTY", `[${this.path}] holds a finished model and nothing to resume: pass --overwrite instead of --resume to train it anew, or choose another --output`);
    }
    if (resume || overwrite) return;
    if (checkpoint !== undefined) {
      throw new HeddleError("FOLDER_NOT_EMPTY", `[${this.path}] holds checkpoint ${checkpoint} of a run that was not finished: pass --resume to go on with it, --overwrite to start anew, or choose another --output`);
    }
    if (finished) throw new HeddleError("FOLDER_NOT_EMPTY", `[${this.path}] holds a finished model: pass --overwrite to replace it (it stays until the new one is done), or choose another --output`);
  }

  /** For what is no training run. Errors: FOLDER_NOT_EMPTY where files would mix with others. */
  async requireEmpty({ overwrite = false }: { overwrite?: boolean }): Promise<void> {
    if (overwrite) return;
    const names: string[] = [];
    for (const name of await readdir(this.path)) {
      // A killed export leaves a sub-folder with a temporary file.
      const rest = name === "onnx" ? await readdir(join(this.path, name)).catch(() => [name]) : [name];
      if (!rest.every((file) => OWN_FILE.test(file))) names.push(name);
    }
    if (names.length === 0) return;
    throw new HeddleError("FOLDER_NOT_EMPTY", `[${this.path}] is not empty (${someOf(names, 3)}): pass --overwrite to replace files of the same name and earlier ONNX files, or choose another --output`);
  }

  /** Its step; undefined where there is none. */
  async newestCheckpoint(): Promise<number | undefined> {
    const names = await readdir(this.checkpoints).catch(() => []);
    const steps = names.flatMap((name) => Number(CHECKPOINT.exec(name)?.[1] ?? NaN)).filter(Number.isFinite);
    return steps.length === 0 ? undefined : Math.max(...steps);
  }

  async removeCheckpoints(): Promise<void> {
    await rm(this.checkpoints, { recursive: true, force: true });
  }

  /** Lets go of it, and removes what this run made if it is still empty. */
  async close(): Promise<void> {
    await this.lock.release();
    await rmdir(this.checkpoints).catch(() => {});
    if (this.made === undefined) return;
    for (let folder = resolve(this.path); folder.length >= resolve(this.made).length; folder = dirname(folder)) {
      const removed = await rmdir(folder).then(
        () => true,
        () => false,
      );
      if (!removed) return;
    }
  }
}
