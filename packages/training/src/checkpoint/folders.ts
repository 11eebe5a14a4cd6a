import { HeddleError } from "@heddle/kernels";
import { nodeFiles } from "./node.ts";

export const STATE_FILE = "trainer_state.json";
export const OPTIMIZER_FILE = "optimizer.safetensors";
const REQUIRED_FILES = ["config.json", "model.safetensors", OPTIMIZER_FILE, STATE_FILE];

const COMPLETE = /^checkpoint-(\d+)$/;
/** Folders that a checkpoint is written in before it has its name, or moved to before it goes. */
const TEMPORARY = /^\.checkpoint-\d+\.heddle-tmp-/;

export interface CheckpointFolder {
  readonly step: number;
  readonly path: string;
}

export function checkpointPath(outputDir: string, step: number): string {
  return nodeFiles().path.join(outputDir, `checkpoint-${step}`);
}

export function temporaryPath(outputDir: string, step: number, purpose: "new" | "old"): string {
  return nodeFiles().path.join(outputDir, `.checkpoint-${step}.heddle-tmp-${purpose}-${process.pid}`);
}

/** Complete checkpoints, oldest first. A folder gets its name only when all its files are safe, so the name decides. */
export async function listCheckpoints(outputDir: string): Promise<CheckpointFolder[]> {
  const { fs, path } = nodeFiles();
  const names = await fs.readdir(outputDir).catch(() => []);
  const found: CheckpointFolder[] = [];
  for (const name of names) {
    const match = COMPLETE.exec(name);
    if (!match) continue;
    const folder = path.join(outputDir, name);
    if ((await missingFile(folder)) === undefined) found.push({ step: Number(match[1]), path: folder });
  }
  return found.sort((a, b) => a.step - b.step);
}

async function missingFile(folder: string): Promise<string | undefined> {
  const { fs, path } = nodeFiles();
  for (const name of REQUIRED_FILES) {
    const isThere = await fs.access(path.join(folder, name)).then(
      () => true,
      () => false,
    );
    if (!isThere) return name;
  }
  return undefined;
}

/**
 * The folder to resume from: a path as it is, `true` for the newest, "auto" for the newest if there is any.
 * Throws CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID.
 */
export async function findCheckpoint(resumeFrom: string | true, outputDir: string | null): Promise<string | null> {
  if (resumeFrom !== true && resumeFrom !== "auto") {
    const missing = await missingFile(resumeFrom);
    if (missing !== undefined) throw new HeddleError("CHECKPOINT_INVALID", `[${resumeFrom}] has no ${missing}; pass a checkpoint-N folder that a trainer saved, or true for the newest in outputDir`);
    return resumeFrom;
  }
  const newest = outputDir === null ? undefined : (await listCheckpoints(outputDir)).at(-1);
  if (newest) return newest.path;
  if (resumeFrom === "auto") return null;
  throw new HeddleError("CHECKPOINT_NOT_FOUND", `[Trainer] there is no checkpoint to resume from in ${outputDir ?? "outputDir, which is not set"}; leave resumeFromCheckpoint away to start afresh`);
}

/** A new run must not mix its checkpoints with those of another. Throws FOLDER_NOT_EMPTY. */
export async function refuseForeignCheckpoints(outputDir: string): Promise<void> {
  const newest = (await listCheckpoints(outputDir)).at(-1);
  if (newest) throw new HeddleError("FOLDER_NOT_EMPTY", `[${outputDir}] holds checkpoint-${newest.step} of an earlier run; pass resumeFromCheckpoint: true to go on with it, or choose another outputDir`);
}

/** Removes what killed runs left half-written. Only for the holder of the folder's lock. */
export async function removeIncomplete(outputDir: string): Promise<void> {
  const { fs, path } = nodeFiles();
  for (const name of await fs.readdir(outputDir)) {
    if (TEMPORARY.test(name)) await fs.rm(path.join(outputDir, name), { recursive: true, force: true });
  }
}

/** Removes the oldest checkpoints above `limit`; those in `keep` stay and count. */
export async function rotateCheckpoints(outputDir: string, limit: number, keep: readonly (string | null)[]): Promise<void> {
  const all = await listCheckpoints(outputDir);
  const removable = all.filter(({ path }) => !keep.includes(path));
  for (const folder of removable.slice(0, Math.max(0, all.length - limit))) await removeCheckpoint(outputDir, folder);
}

/** Renamed first: a checkpoint that is half gone must not look complete. */
async function removeCheckpoint(outputDir: string, { path, step }: CheckpointFolder): Promise<void> {
  const { fs } = nodeFiles();
  const aside = temporaryPath(outputDir, step, "old");
  await fs.rename(path, aside);
  await fs.rm(aside, { recursive: true, force: true });
}
