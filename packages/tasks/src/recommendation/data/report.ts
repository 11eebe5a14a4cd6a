import type { RowProblem } from "../../data/records.ts";
import type { Interactions } from "../interactions.ts";
import type { InteractionColumns } from "./columns.ts";
import type { HistoryCounts } from "./histories.ts";
import { countItems } from "./select-events.ts";
import type { TimeUnit } from "./times.ts";

/** What a reader found in a file and what it did about it. */
export interface InteractionReport extends HistoryCounts {
  readonly name: string;
  /** Lines or rows with something in them, usable or not. */
  readonly numRows: number;
  /** Rows that could not be used, and why. */
  readonly problems: readonly RowProblem[];
  /** Absent for files of ids alone. */
  readonly columns?: InteractionColumns;
  readonly timeUnit?: TimeUnit;
  /** Events that the caller's choice of event types and ratings left out, and those with a weight of 0 or below. */
  readonly leftOut: { readonly byEventType: number; readonly byRating: number; readonly byWeight: number };
  /** Users on several lines of a sequence file: joined in the file's order. */
  readonly usersOnSeveralLines: number;
  /** Users, items and events that fell to `minEventsPerUser` and `minEventsPerItem`. */
  readonly tooFew: { readonly users: number; readonly items: number; readonly events: number };
  /** Of what is left. */
  readonly numUsers: number;
  readonly numItems: number;
  readonly numEvents: number;
  readonly itemsSeenOnce: number;
  readonly usersWithOneEvent: number;
  /** First and last event, milliseconds since 1970. */
  readonly span?: { readonly from: number; readonly to: number };
}

/** Counts of what is left. */
export function countsOf({ userIds, itemIds, histories, times }: Interactions): Pick<InteractionReport, "numUsers" | "numItems" | "numEvents" | "itemsSeenOnce" | "usersWithOneEvent" | "span"> {
  return {
    numUsers: userIds.length,
    numItems: itemIds.length,
    numEvents: histories.reduce((sum, { length }) => sum + length, 0),
    itemsSeenOnce: countItems(histories, itemIds.length).reduce((sum, count) => sum + (count === 1 ? 1 : 0), 0),
    usersWithOneEvent: histories.reduce((sum, { length }) => sum + (length === 1 ? 1 : 0), 0),
    ...(times && times.length > 0 && { span: { from: times.reduce((first, own) => Math.min(first, own[0]!), Infinity), to: times.reduce((last, own) => Math.max(last, own.at(-1)!), -Infinity) } }),
  };
}

/** The report in sentences, the most important first; nothing is said of what did not occur. */
export function describeInteractions(report: InteractionReport): string[] {
  const { numUsers, numItems, numEvents, span, problems, columns, timeUnit, outOfOrder, duplicates, bots, leftOut, usersOnSeveralLines, tooFew, itemsSeenOnce, usersWithOneEvent } = report;
  const day = (time: number): string => new Date(time).toISOString().slice(0, 10);
  const said: (string | false | null | undefined)[] = [
    `${count(numEvents, "event")} of ${count(numUsers, "user")} with ${count(numItems, "item")}${span ? `, ${day(span.from)} to ${day(span.to)}` : ", in the file's order (no times)"}`,
    columns && `columns: ${Object.entries(columns).map(([role, name]) => `${role} = ${name}`).join(", ")}${timeUnit ? ` (${timeUnit})` : ""}`,
    problems.length > 0 && `${count(problems.length, "row")} of ${report.numRows} could not be used: ${problems.slice(0, 3).map(({ line, reason }) => `line ${line} ${reason}`).join("; ")}${problems.length > 3 ? "; …" : ""}`,
    leftOut.byEventType > 0 && `${count(leftOut.byEventType, "event")} of other event types left out`,
    leftOut.byRating > 0 && `${count(leftOut.byRating, "event")} rated too low left out`,
    leftOut.byWeight > 0 && `${count(leftOut.byWeight, "event")} with a weight of 0 or below left out`,
    bots && bots.userIds.length > 0 && `${count(bots.userIds.length, "user")} dropped as bots with ${count(bots.numEvents, "event")}: ${bots.userIds.slice(0, 3).join(", ")}${bots.userIds.length > 3 ? ", …" : ""}`,
    duplicates > 0 && `${count(duplicates, "duplicate event")} dropped`,
    outOfOrder > 0 && `${count(outOfOrder, "event")} out of time order, sorted in`,
    usersOnSeveralLines > 0 && `${count(usersOnSeveralLines, "user")} on several lines, joined in the file's order`,
    tooFew.events > 0 && `${count(tooFew.users, "user")}, ${count(tooFew.items, "item")} and ${count(tooFew.events, "event")} dropped for having too few events`,
    itemsSeenOnce > 0 && `${count(itemsSeenOnce, "item")} seen once`,
    usersWithOneEvent > 0 && `${count(usersWithOneEvent, "user")} with one event: nothing to predict from it`,
  ];
  return said.filter((sentence) => typeof sentence === "string");
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
