import type { Device } from "@heddle/kernels";
import type { PyTorch } from "./pytorch.ts";
import type { VersusRow } from "./row.ts";
import type { Stage } from "./stage.ts";

/** What a work needs from the run. */
export interface Run {
  /** Heddle's, for works whose sides share this process. */
  device(): Promise<Device>;
  /** For works whose sides have processes or pages of their own. */
  stage(): Promise<Stage>;
  /** Null where it is not installed: the work goes on without it. */
  readonly pytorch: PyTorch | null;
  /** Of the CPU, for every side. */
  readonly threads: number;
  readonly rounds: number;
  /** For what one side hands to another; deleted at the end. */
  readonly folder: string;
}

/** Checks that all sides compute the same, then times them in turn; a row for each shape. */
export type Work = (run: Run) => AsyncIterable<VersusRow>;
