import type { AdapterProfile } from "../../device/profile.ts";

/** Rows that one invocation folds at least: more invocations than that gives stop paying. */
const MIN_ROWS_PER_CHUNK = 32;
/** Invocations that keep the adapter busy: a few vector registers for each core of a CPU, or a GPU. */
const WANTED_INVOCATIONS = { software: 32, gpu: 65_536 };

const classOf = ({ kind }: Pick<AdapterProfile, "kind">) => (kind === "software" ? "software" : "gpu");

/** Small on a CPU, so that a few columns still go to all cores. */
export const columnWorkgroupSize = (adapter: Pick<AdapterProfile, "kind">): 8 | 64 => (adapter.kind === "software" ? 8 : 64);

/** Into how many chunks the rows of a sum over rows go: one, and no second dispatch, where the columns alone keep the adapter busy. */
export function chunksOfRows(adapter: Pick<AdapterProfile, "kind">, rows: number, columns: number): { chunk: number; chunks: number } {
  const wanted = Math.ceil(WANTED_INVOCATIONS[classOf(adapter)] / Math.max(1, columns));
  const chunk = Math.max(MIN_ROWS_PER_CHUNK, Math.ceil(rows / wanted));
  return { chunk, chunks: Math.max(1, Math.ceil(rows / chunk)) };
}
