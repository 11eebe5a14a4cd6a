import { count, shellQuote } from "../screen/format.ts";
import { Interrupted } from "../session/failure.ts";
import type { Session } from "../session/session.ts";
import type { OutputFolder } from "./output-folder.ts";

// Training that can be stopped, and gone on with by --resume.

/** Says where --resume has nothing to go on with; --overwrite discards what there was. */
export async function beginOrGoOn(folder: OutputFolder, { resume, overwrite }: { resume: boolean; overwrite: boolean }, session: Session): Promise<void> {
  if (resume && (await folder.newestCheckpoint()) === undefined) session.warn(`[${folder.path}] has no checkpoint to resume from: starting from the beginning`);
  if (overwrite && !resume) await folder.removeCheckpoints();
}

/** What `train` gives. Says what happens once Ctrl-C was pressed, but not where it is pressed after training: no checkpoint comes then. */
export async function announceStop<T>(session: Session, train: () => Promise<T>): Promise<T> {
  const { signal } = session;
  const announce = (): void => session.log("stopping after this step and saving a checkpoint … (Ctrl-C again leaves at once)");
  signal.addEventListener("abort", announce, { once: true });
  try {
    return await train();
  } finally {
    signal.removeEventListener("abort", announce);
  }
}

/** The error that ends a stopped run: says what is safe, and how to go on. */
export async function interrupted(folder: OutputFolder, session: Session, cause: unknown): Promise<Interrupted> {
  const step = await folder.newestCheckpoint();
  if (step === undefined) return new Interrupted("stopped before the first step; nothing was written", { cause });
  const again = [...session.terminal.args.filter((arg) => arg !== "--resume" && arg !== "--overwrite"), "--resume"].map(shellQuote).join(" ");
  return new Interrupted(`stopped; step ${count(step)} is safe in ${folder.checkpoints}. Go on with\n  ${session.command} ${again}`, { cause });
}
