import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { HeddleError } from "@heddle/tasks";

const REVIEWS = join("examples", "data", "reviews.csv");
/** Every fifth review of each label is held out; the file is shuffled. */
const HELD_OUT_STRIDE = 5;

/** What the demo classifies where nobody types anything. */
export const SAMPLE_TEXTS = [
  "Arrived a day early and works perfectly. My mother loves it.",
  "Two stars for the box. The thing inside was broken.",
  "I wanted to hate it and could not: best kettle I have owned.",
  "房间很干净，前台服务也热情，下次还会来。",
  "用了三天就坏了，客服一直不回复。",
];

/** The demo's reviews lie in the repository, above this file or above the working folder. Throws FILE_UNREADABLE. */
export function findReviews(starts: readonly string[] = [dirname(fileURLToPath(import.meta.url)), process.cwd()]): string {
  for (const start of starts) {
    for (let folder = start; ; folder = dirname(folder)) {
      if (existsSync(join(folder, REVIEWS))) return join(folder, REVIEWS);
      if (folder === dirname(folder)) break;
    }
  }
  throw new HeddleError("FILE_UNREADABLE", `[demo] ${REVIEWS} was not found: run the demo in a clone of the Heddle repository (npm run demo), or train on a file of yours with \`heddle train --data FILE --text COLUMN --label COLUMN --output FOLDER\``);
}

/** The same rows for every model that is compared, held out before anything is fitted. */
export function holdOutFifth<Row extends { readonly label: string }>(rows: readonly Row[]): { trainRows: Row[]; testRows: Row[] } {
  const seen = new Map<string, number>();
  const trainRows: Row[] = [];
  const testRows: Row[] = [];
  for (const row of rows) {
    const place = seen.get(row.label) ?? 0;
    seen.set(row.label, place + 1);
    (place % HELD_OUT_STRIDE === HELD_OUT_STRIDE - 1 ? testRows : trainRows).push(row);
  }
  return { trainRows, testRows };
}
