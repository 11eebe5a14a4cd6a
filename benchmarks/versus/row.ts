/** What was held against a peer before any clock ran, and how far from it Heddle's numbers were. */
export interface Agreement {
  readonly measure: "largest absolute difference" | "largest relative difference of the first losses";
  readonly tolerance: number;
  /** By the names of `VersusRow.peers`. */
  readonly differences: Readonly<Record<string, number>>;
}

/** One shape of one work: Heddle beside its peers in the same run. */
export interface VersusRow {
  readonly work: string;
  readonly shape: string;
  /** Heddle's. */
  readonly backend: string;
  readonly adapter: string;
  readonly unit: "sentences/s" | "ms/step";
  readonly higherIsBetter: boolean;
  readonly heddle: number;
  /** By "name version backend". */
  readonly peers: Readonly<Record<string, number>>;
  /** Null where there was no peer, or where dropout makes every side draw numbers of its own. */
  readonly agreement: Agreement | null;
  /** Share of all cores that other programs took meanwhile, 0 to 1. Far from 0 the row compares nothing: PyTorch suffers most. */
  readonly othersShare: number;
  readonly date: string;
}

/** From here on the table says so. */
const DISTURBING_SHARE = 0.05;

/** How many times as fast as the peer Heddle was. */
export function speedRatio({ heddle, higherIsBetter }: Pick<VersusRow, "heddle" | "higherIsBetter">, peer: number): number {
  return higherIsBetter ? heddle / peer : peer / heddle;
}

/** A block of the table: a line for Heddle and one for each peer. */
export function formatRow(row: VersusRow): string {
  const value = (rate: number) => rate.toFixed(1).padStart(10);
  const peers = Object.entries(row.peers).map(([name, rate]) => {
    const difference = row.agreement?.differences[name];
    const numbers = difference === undefined ? "" : `   numbers within ${difference.toExponential(1)}`;
    return `  ${name.padEnd(34)}${value(rate)}   Heddle is ${speedRatio(row, rate).toFixed(2)} × as fast${numbers}`;
  });
  const disturbed = row.othersShare < DISTURBING_SHARE ? "" : `   DISTURBED: other programs took ${(100 * row.othersShare).toFixed(0)} % of the cores`;
  return [`${row.work}   ${row.shape}   ${row.unit}${disturbed}`, `  ${`Heddle ${row.backend}`.padEnd(34)}${value(row.heddle)}`, ...peers].join("\n");
}
