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
  readonly unit: "GFLOP/s" | "sentences/s" | "ms" | "ms/step";
  readonly higherIsBetter: boolean;
  readonly heddle: number;
  /** By "name version backend". */
  readonly peers: Readonly<Record<string, number>>;
  /**
   * The same by CPU time of all threads but JavaScript's, as if every core had worked on nothing else: on shared hosts it
   * moves less than wall time. Of cold starts, all threads: JavaScript's compiles too. Null on a real GPU and where nobody
   * counts.
   */
  readonly heddleByCpu: number | null;
  readonly peersByCpu: Readonly<Record<string, number | null>>;
  /** Null where there was no peer, or where dropout makes every side draw numbers of its own. */
  readonly agreement: Agreement | null;
  /** Turns that each side had. */
  readonly rounds: number;
  /** Share of all cores that other programs took meanwhile, 0 to 1. Far from 0 the row compares nothing: PyTorch suffers most. */
  readonly othersShare: number;
  readonly date: string;
}

/** From here on the table says so. */
const DISTURBING_SHARE = 0.05;
const NAME_WIDTH = 46;

/** How many times as fast as the peer Heddle was. */
export function speedRatio({ heddle, higherIsBetter }: Pick<VersusRow, "heddle" | "higherIsBetter">, peer: number): number {
  return higherIsBetter ? heddle / peer : peer / heddle;
}

/** A block of the table: a line for Heddle and one for each peer. */
export function formatRow(row: VersusRow): string {
  const value = (rate: number) => (rate < 10 ? rate.toFixed(2) : rate.toFixed(1)).padStart(10);
  const counted = (rate: number | null | undefined, ratio = "") => (rate == null ? "" : `   by CPU time ${value(rate).trim()}${ratio}`);
  const times = (own: number, peer: number) => `${speedRatio({ heddle: own, higherIsBetter: row.higherIsBetter }, peer).toFixed(2)} ×`;
  const peers = Object.entries(row.peers).map(([name, rate]) => {
    const difference = row.agreement?.differences[name];
    const numbers = difference === undefined ? "" : `   numbers within ${difference.toExponential(1)}`;
    const byCpu = row.peersByCpu[name];
    return `  ${name.padEnd(NAME_WIDTH)}${value(rate)}   Heddle is ${times(row.heddle, rate)} as fast${counted(byCpu, byCpu && row.heddleByCpu ? `, ${times(row.heddleByCpu, byCpu)}` : "")}${numbers}`;
  });
  const disturbed = row.othersShare < DISTURBING_SHARE ? "" : `   DISTURBED: other programs took ${(100 * row.othersShare).toFixed(0)} % of the cores`;
  return [`${row.work}   ${row.shape}   ${row.unit}   ${row.adapter}${disturbed}`, `  ${`Heddle ${row.backend}`.padEnd(NAME_WIDTH)}${value(row.heddle)}${counted(row.heddleByCpu)}`, ...peers].join("\n");
}
