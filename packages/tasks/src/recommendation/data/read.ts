import { HeddleError } from "@heddle/kernels";
import { bytesOf, decodeText, type TableSource } from "../../data/decode.ts";
import { select } from "../../data/select.ts";
import { readTable, type Table, type TableFormat } from "../../data/table.ts";
import type { Interactions } from "../interactions.ts";
import { findColumns, hasUsualColumns, type InteractionColumns } from "./columns.ts";
import { EventLogBuilder, type EventLog } from "./event-log.ts";
import { historiesOf } from "./histories.ts";
import { readIdLines, type LineFormat } from "./id-lines.ts";
import { kCore } from "./k-core.ts";
import { countsOf, describeInteractions, type InteractionReport } from "./report.ts";
import { checkRules, type InteractionRules } from "./rules.ts";
import { TimeColumn, type TimeUnit } from "./times.ts";

export interface ReadInteractionsOptions extends InteractionRules {
  /** Default: by the extension of `name`; else by the first lines. */
  readonly format?: TableFormat | LineFormat;
  /** File name, for the format and for messages. */
  readonly name?: string;
  /** Columns of a table; those not given are found by their usual names. */
  readonly columns?: Partial<InteractionColumns>;
  /** Default: seen from the column, which must then have one unit. */
  readonly timeUnit?: TimeUnit;
  /** Keep only these values of the event column. */
  readonly eventTypes?: readonly string[];
  /** Keep only events with at least this rating. */
  readonly minRating?: number;
}

export interface ReadInteractions {
  readonly interactions: Interactions;
  readonly report: InteractionReport;
}

/**
 * Reads who touched what: a table (CSV, TSV, JSON Lines) with user, item and, where there is one, time columns, or lines of
 * ids: `user item item …` or `user item`, oldest first. Ids keep their own spelling. Without times the file's order counts.
 *
 * @param source the content: text, bytes, a picked file or a stream
 * Errors: DATA_EMPTY, DATA_INVALID (also for times in mixed units), COLUMN_MISSING, INVALID_ARGUMENT.
 */
export async function readInteractions(source: TableSource, options: ReadInteractionsOptions = {}): Promise<ReadInteractions> {
  const name = options.name ?? (typeof File !== "undefined" && source instanceof File ? source.name : "interactions");
  const { format } = options;
  const content = typeof source === "string" ? source : await bytesOf(source);
  const { text, undecodableLines } = await decodeText(content);
  if (text.trim() === "") throw new HeddleError("DATA_EMPTY", `[${name}] is empty: give lines of "user item", or a table whose first line names its columns`);
  if (format === "sequences" || format === "pairs" || (format === undefined && isIdLines(name, text))) {
    const { log, numRows, problems, usersOnSeveralLines } = readIdLines(text, name, (line) => !undecodableLines.has(line), format);
    return interactionsOf(log, options, { name, numRows, problems, usersOnSeveralLines, leftOut: { byEventType: 0, byRating: 0, byWeight: 0 } });
  }
  return interactionsOfTable(await readTable(content, { name, ...(format && { format }) }), options);
}

/** Tables have an extension of their own, a header that names a user and an item, or the commas of a table. */
function isIdLines(name: string, text: string): boolean {
  if (/\.(csv|tsv|jsonl|ndjson)$/i.test(name)) return false;
  const first = /[^\n]*\S[^\n]*/.exec(text)![0].trim();
  return !first.startsWith("{") && !/[,;]/.test(first) && !hasUsualColumns(first.split("\t"));
}

/** A table's events by the rules. Errors as of `readInteractions`. */
export function interactionsOfTable(table: Table, options: ReadInteractionsOptions): ReadInteractions {
  const columns = usedColumns(table, options);
  const { user, item, time, event, weight, rating } = columns;
  const eventTypes = options.eventTypes && new Set(options.eventTypes);
  const builder = new EventLogBuilder();
  const times = time === undefined ? null : new TimeColumn(table.name, time, options.timeUnit);
  const leftOut = { byEventType: 0, byRating: 0, byWeight: 0 };
  const { problems } = select(table, (values, line): null | string => {
    if (eventTypes && !eventTypes.has(values[event!]!.trim())) {
      leftOut.byEventType++;
      return null;
    }
    const userId = (values[user] ?? "").trim();
    const itemId = (values[item] ?? "").trim();
    if (userId === "") return `the user (column ${user}) is missing`;
    if (itemId === "") return `the item (column ${item}) is missing`;
    if (rating !== undefined && options.minRating !== undefined) {
      const value = parseNumber(values[rating]);
      if (value === null) return `the rating (column ${rating}) is ${JSON.stringify(values[rating] ?? "")}, no finite number`;
      if (value < options.minRating) {
        leftOut.byRating++;
        return null;
      }
    }
    if (weight !== undefined) {
      const value = parseNumber(values[weight]);
      if (value === null) return `the weight (column ${weight}) is ${JSON.stringify(values[weight] ?? "")}, no finite number`;
      if (value <= 0) {
        leftOut.byWeight++;
        return null;
      }
    }
    const complaint = times?.add(values[time!] ?? "", line) ?? null;
    if (complaint === null) builder.add(userId, itemId);
    return complaint;
  });
  return interactionsOf(builder.build(times?.milliseconds()), options, {
    name: table.name,
    numRows: table.rows.length + table.problems.length,
    problems,
    columns,
    ...(times && { timeUnit: times.unit }),
    usersOnSeveralLines: 0,
    leftOut,
  });
}

/** Only those that do something: a rating that nobody asks for is not looked at. */
function usedColumns({ name, columns }: Table, { columns: given, eventTypes, minRating }: ReadInteractionsOptions): InteractionColumns {
  const found = findColumns(name, columns, given);
  const missing = (role: string, option: string): HeddleError =>
    new HeddleError("COLUMN_MISSING", `[${name}] ${option} is given and no ${role} column is found among ${columns.map((column) => JSON.stringify(column)).join(", ")}: pass columns: { ${role}: "…" }`);
  if (eventTypes && found.event === undefined) throw missing("event", "eventTypes");
  if (minRating !== undefined && found.rating === undefined) throw missing("rating", "minRating");
  const { event, rating, ...used } = found;
  return { ...used, ...(eventTypes && { event: event! }), ...(minRating !== undefined && { rating: rating! }) };
}

function parseNumber(cell: string | undefined): number | null {
  const value = cell === undefined || cell.trim() === "" ? Number.NaN : Number(cell);
  return Number.isFinite(value) ? value : null;
}

type ReadFacts = Pick<InteractionReport, "name" | "numRows" | "problems" | "columns" | "timeUnit" | "usersOnSeveralLines" | "leftOut">;

/** A log by the rules, and what they did. Errors: DATA_EMPTY where nothing is left, INVALID_ARGUMENT. */
export function interactionsOf(log: EventLog, rules: InteractionRules, facts: ReadFacts): ReadInteractions {
  checkRules(rules, log.times !== undefined);
  const { interactions: all, counts } = historiesOf(log, rules);
  const { minEventsPerUser = 1, minEventsPerItem = 1 } = rules;
  const interactions = minEventsPerUser > 1 || minEventsPerItem > 1 ? kCore(all, { minEventsPerUser, minEventsPerItem }) : all;
  const [before, after] = [countsOf(all), countsOf(interactions)];
  const tooFew = { users: before.numUsers - after.numUsers, items: before.numItems - after.numItems, events: before.numEvents - after.numEvents };
  const report: InteractionReport = { ...facts, ...counts, tooFew, ...after };
  if (after.numEvents === 0) throw new HeddleError("DATA_EMPTY", `[${facts.name}] no event is left: ${describeInteractions(report).join("; ")}. Loosen the rules, or check the columns`);
  return { interactions, report };
}
