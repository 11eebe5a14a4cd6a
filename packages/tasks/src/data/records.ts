/** One record of a delimited file, before columns have names. */
export interface RawRecord {
  readonly cells: readonly string[];
  /** 1-based, first and last line. */
  readonly line: number;
  readonly lastLine: number;
}

/** A row that cannot be used, and why. */
export interface RowProblem {
  readonly line: number;
  readonly reason: string;
}

export interface RawTable {
  readonly records: readonly RawRecord[];
  readonly problems: readonly RowProblem[];
}

export function countLineEnds(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}
