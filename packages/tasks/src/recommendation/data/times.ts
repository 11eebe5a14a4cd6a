import { HeddleError } from "@heddle/kernels";

export type TimeUnit = "iso" | "seconds" | "milliseconds";

/** Seconds reach this in the year 5138; milliseconds passed it in March 1973. */
const FIRST_MILLISECONDS = 1e11;
/** Milliseconds reach this in 5138: what is larger counts microseconds or nanoseconds. */
const FIRST_MICROSECONDS = 1e14;

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(?:Z|(?:UTC|GMT)|([+-])(\d\d)(?::?(\d\d))?)?)?$/i;
const NUMBER = /^[+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?$/i;

/** A cell of a time column: its number, and which units it can be in. */
interface TimeCell {
  readonly value: number;
  /** "any" for 0, the start of every count. */
  readonly unit: TimeUnit | "any";
}

/** Why a cell is no time, or what it says. */
export function parseTime(cell: string, unit?: TimeUnit): TimeCell | string {
  const text = cell.trim();
  if (text === "") return "is empty";
  if (NUMBER.test(text)) {
    const value = Number(text);
    if (!Number.isFinite(value)) return `(${JSON.stringify(text)}) is too large a number`;
    if (unit === "iso") return `(${JSON.stringify(text)}) is a number where an ISO 8601 time is wanted`;
    if (unit !== undefined) return { value, unit };
    if (Math.abs(value) >= FIRST_MICROSECONDS) return `(${text}) is neither seconds nor milliseconds since 1970; divide microseconds by 1000`;
    return { value, unit: value === 0 ? "any" : Math.abs(value) >= FIRST_MILLISECONDS ? "milliseconds" : "seconds" };
  }
  const value = parseIso(text);
  if (value === null || (unit !== undefined && unit !== "iso")) return `(${JSON.stringify(text)}) is no time; use ${unit === undefined || unit === "iso" ? "ISO 8601 such as 2024-05-31T18:00:00Z, or seconds or milliseconds since 1970" : `${unit} since 1970`}`;
  return { value, unit: "iso" };
}

/** Milliseconds since 1970, or null. A time without a zone is UTC, unlike `Date.parse`'s: a log reads the same everywhere. */
function parseIso(text: string): number | null {
  const found = ISO.exec(text);
  if (!found) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0)) as [number, number, number, number, number, number];
  const milliseconds = Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(milliseconds);
  // Date.UTC rolls 31 April over to 1 May.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) return null;
  const fraction = found[7] === undefined ? 0 : Number(`0.${found[7]}`) * 1000;
  const offset = (found[8] === "-" ? -1 : 1) * (Number(found[9] ?? 0) * 60 + Number(found[10] ?? 0)) * 60_000;
  return milliseconds + fraction - offset;
}

/** Finds a column's one unit while its cells come in, and refuses a second one. */
export class TimeColumn {
  private readonly values: number[] = [];
  private first: { readonly unit: TimeUnit; readonly line: number; readonly cell: string } | null = null;

  constructor(
    private readonly file: string,
    private readonly column: string,
    private readonly given?: TimeUnit,
  ) {}

  get unit(): TimeUnit {
    return this.first?.unit ?? this.given ?? "seconds";
  }

  /** Returns why the cell is no time, or null once it is taken. Throws DATA_INVALID where it is in another unit than those before. */
  add(cell: string, line: number): string | null {
    const parsed = parseTime(cell, this.given);
    if (typeof parsed === "string") return `the time (column ${this.column}) ${parsed}`;
    if (parsed.unit !== "any") {
      this.first ??= { unit: parsed.unit, line, cell };
      if (this.first.unit !== parsed.unit) {
        throw new HeddleError("DATA_INVALID", `[${this.file}] the times (column ${this.column}) are in mixed units: line ${this.first.line} has ${this.first.cell} (${inWords(this.first.unit)}), line ${line} has ${cell} (${inWords(parsed.unit)}): write the whole column in one unit, or say which one it is with timeUnit`);
      }
    }
    this.values.push(parsed.value);
    return null;
  }

  milliseconds(): Float64Array {
    const factor = this.unit === "seconds" ? 1000 : 1;
    return Float64Array.from(this.values, (value) => value * factor);
  }
}

function inWords(unit: TimeUnit): string {
  return unit === "iso" ? "ISO 8601" : `${unit} since 1970`;
}
