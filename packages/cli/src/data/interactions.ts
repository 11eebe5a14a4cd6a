import { describeInteractions, HeddleError, readInteractionsFile, readItemFeaturesFile, type Interactions, type ItemFeatures } from "@heddle/tasks";
import { countOf } from "../screen/format.ts";
import type { Session } from "../session/session.ts";
import { reportProblems } from "./rows.ts";

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

/** What is known of items, from a file; says what its columns were taken for. Errors: those of `readItemFeaturesFile`. */
export async function readItems(session: Session, path: string): Promise<ReadonlyMap<string, ItemFeatures>> {
  const { itemFeatures, problems, columns } = await readItemFeaturesFile(path);
  reportProblems(session, path, problems, itemFeatures.size);
  const named = (kind: string, names: readonly string[]) => (names.length > 0 ? `, ${kind} ${names.join(", ")}` : "");
  session.log(session.terminal.err.colors.dim(`• features of ${countOf(itemFeatures.size, "item")}${named("categories", columns.categories)}${named("numbers", columns.numbers)}${named("embedding", columns.embedding === undefined ? [] : [columns.embedding])}`));
  return itemFeatures;
}
