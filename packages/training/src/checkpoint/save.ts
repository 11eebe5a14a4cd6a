import type { State } from "@heddle/kernels";
import { saveModel, statesToWrite, syncFolder, writeSafetensors, type Model, type WritableFileSystem } from "@heddle/transformer";
import { checkpointPath, OPTIMIZER_FILE, STATE_FILE, temporaryPath } from "./folders.ts";
import { nodeFiles } from "./node.ts";
import type { TrainerState } from "./trainer-state.ts";

export interface CheckpointContents {
  readonly model: Model;
  /** Moments and running sums by name. */
  readonly optimizer: ReadonlyMap<string, State>;
  readonly state: TrainerState;
  /** More files of the model folder, e.g. tokenizer.json. */
  readonly files: Readonly<Record<string, string | object>>;
}

/**
 * Writes `checkpoint-N` whole or not at all: everything goes to a temporary sibling folder, is flushed to the disk, and
 * then the folder gets its name. Throws DISK_FULL, FOLDER_NOT_WRITABLE; earlier checkpoints stay as they were.
 *
 * @param fileSystem what the files are written through; Node's by default
 * @returns the folder's path
 */
export async function saveCheckpoint(outputDir: string, { model, optimizer, state, files }: CheckpointContents, fileSystem?: WritableFileSystem): Promise<string> {
  const { fs, path } = nodeFiles();
  const target = checkpointPath(outputDir, state.global_step);
  const temporary = temporaryPath(outputDir, state.global_step, "new");
  const replaced = temporaryPath(outputDir, state.global_step, "old");
  try {
    await saveModel(model, temporary, { files: { ...files, [STATE_FILE]: state } }, { fileSystem });
    await writeSafetensors(path.join(temporary, OPTIMIZER_FILE), statesToWrite(optimizer), { fileSystem });
    // A folder cannot replace a folder that is not empty.
    const exists = await fs.rename(target, replaced).then(
      () => true,
      () => false,
    );
    await fs.rename(temporary, target);
    await syncFolder(outputDir);
    if (exists) await fs.rm(replaced, { recursive: true, force: true });
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
  return target;
}
