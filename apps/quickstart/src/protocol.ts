import type { Classification, Device, DeviceName, FitEvent, RowProblem } from "@heddle/tasks";

/** What the page asks of the worker, the device first. `id` comes back with the answer. */
export type Request =
  | { readonly id: number; readonly type: "device"; readonly device: DeviceName }
  | { readonly id: number; readonly type: "open"; readonly files: readonly File[] }
  | { readonly id: number; readonly type: "table"; readonly file: File }
  | { readonly id: number; readonly type: "train"; readonly text: string; readonly label: string; readonly epochs: number }
  | { readonly id: number; readonly type: "stop" }
  | { readonly id: number; readonly type: "classify"; readonly text: string };

/** What each request answers. */
export interface Answers {
  device: Pick<Device, "kind" | "description">;
  open: { readonly labels: readonly string[] };
  table: { readonly columns: readonly string[]; readonly numRows: number; readonly problems: readonly RowProblem[] };
  train: { readonly accuracy: number; readonly majorityAccuracy: number; readonly numRows: number; readonly problems: readonly RowProblem[] };
  stop: null;
  classify: readonly Classification[];
}

export type Response =
  | { readonly id: number; readonly type: "answer"; readonly answer: Answers[keyof Answers] }
  | { readonly id: number; readonly type: "error"; readonly code: string; readonly message: string }
  | { readonly id: number; readonly type: "event"; readonly event: FitEvent };

export type { Classification, DeviceName, FitEvent };
