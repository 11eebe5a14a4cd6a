import { HeddleError } from "@heddle/kernels";
import type { RowProblem } from "../../data/records.ts";
import { EventLogBuilder, type EventLog } from "./event-log.ts";

export type LineFormat = "sequences" | "pairs";

export interface IdLines {
  readonly log: EventLog;
  readonly format: LineFormat;
  readonly numRows: number;
  readonly problems: readonly RowProblem[];
  /** Users with more than one line of a sequence file: their lines are joined in the file's order. */
  readonly usersOnSeveralLines: number;
}

/**
 * Reads ids between white space, without a header: sequences (`user item item …`, a user a line, oldest first) or pairs
 * (`user item`, an event a line, oldest first; users may alternate). Where every line has two ids both readings are the
 * same. Error: DATA_INVALID where the lines are of another kind, or more than half of them cannot be used.
 *
 * @param text with `\n` as line end
 */
export function readIdLines(text: string, file: string, isDecodable: (line: number) => boolean, given?: LineFormat): IdLines {
  const format = given ?? formatOf(text, file);
  const builder = new EventLogBuilder();
  const problems: RowProblem[] = [];
  const users = new Set<string>();
  const severalLines = new Set<string>();
  let numRows = 0;
  forEachLine(text, (ids, line) => {
    const user = ids[0]!;
    numRows++;
    if (!isDecodable(line)) problems.push({ line, reason: "is not valid UTF-8; save the file as UTF-8" });
    else if (ids.length < 2) problems.push({ line, reason: `has one id (${JSON.stringify(user)}): a user needs an item after it` });
    else if (format === "pairs" && ids.length > 2) problems.push({ line, reason: `has ${ids.length} ids, a pair has 2` });
    else {
      if (format === "sequences" && users.has(user)) severalLines.add(user);
      users.add(user);
      for (let at = 1; at < ids.length; at++) builder.add(user, ids[at]!);
    }
  });
  if (problems.length * 2 > numRows) {
    throw new HeddleError("DATA_INVALID", `[${file}] ${problems.length} of ${numRows} lines cannot be used, so this is hardly a file of ${format}: ${problems.slice(0, 3).map(({ line, reason }) => `line ${line} ${reason}`).join("; ")}. Give lines of "user item" or "user item item …", or a table whose first line names its columns`);
  }
  return { log: builder.build(), format, numRows, problems, usersOnSeveralLines: severalLines.size };
}

/** A table without a header looks like sequences of one length whose users come again and again: that is refused, not guessed. */
function formatOf(text: string, file: string): LineFormat {
  const users = new Set<string>();
  const linesOfLength = new Map<number, number>();
  let numLines = 0;
  forEachLine(text, (ids) => {
    numLines++;
    linesOfLength.set(ids.length, (linesOfLength.get(ids.length) ?? 0) + 1);
    users.add(ids[0]!);
  });
  const comesAgain = users.size < numLines;
  const [length] = linesOfLength.keys();
  if (linesOfLength.size === 1 && length! > 2 && comesAgain) {
    throw new HeddleError("DATA_INVALID", `[${file}] every line has ${length} values and users come again, so it looks like a table without a header: add a first line that names the columns (user_id, item_id, timestamp), or pass format: "sequences" if these are users with their items`);
  }
  const numPairs = linesOfLength.get(2) ?? 0;
  const isMostlyPairs = numPairs * 2 > numLines && users.size * 2 <= numLines;
  return numPairs === numLines || isMostlyPairs ? "pairs" : "sequences";
}

const LINE_FEED = 10;
const SPACE = 32;

/** Lines with ids on them, split at blanks and control characters; a million lines in a second, where regular expressions take several. */
function forEachLine(text: string, visit: (ids: readonly string[], line: number) => void): void {
  let ids: string[] = [];
  let line = 1;
  let begin = -1;
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : LINE_FEED;
    if (code > SPACE) {
      if (begin < 0) begin = at;
      continue;
    }
    if (begin >= 0) ids.push(text.slice(begin, at));
    begin = -1;
    if (code !== LINE_FEED) continue;
    if (ids.length > 0) visit(ids, line);
    ids = [];
    line++;
  }
}
