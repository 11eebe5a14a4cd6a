import { describeInteractions, HeddleError, readInteractionsFile, type Interactions } from "@heddle/tasks";
import type { Session } from "../session/session.ts";

/** Columns of a click log that the user named. */
export interface InteractionOptions {
  readonly user?: string;
  readonly item?: string;
  readonly time?: string;
}

/** Who touched what, from a file; says what was found in it. Errors: those of `readInteractionsFile`. */
export async function readLog(session: Session, path: string, { user, item, time }: InteractionOptions): Promise<Interactions> {
  const columns = { ...(user !== undefined && { user }), ...(item !== undefined && { item }), ...(time !== undefined && { time }) };
  try {
    const { interactions, report } = await readInteractionsFile(path, { columns });
    for (const sentence of describeInteractions(report)) session.log(session.terminal.err.colors.dim(`• ${sentence}`));
    return interactions;
  } catch (error) {
    if (!HeddleError.isInstance(error) || error.code !== "COLUMN_MISSING") throw error;
    throw new HeddleError(error.code, `${error.message} (on the command line: --user, --item and --time)`, { cause: error });
  }
}
