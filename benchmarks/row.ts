/** One line of a benchmark's table and of its JSON. */
export interface Row {
  readonly work: string;
  readonly shape: string;
  readonly unit: string;
  readonly higherIsBetter: boolean;
  readonly heddle: number;
  /** The same by CPU time of the driver's threads, where it can be had. */
  readonly heddleByCpu: number | null;
}
