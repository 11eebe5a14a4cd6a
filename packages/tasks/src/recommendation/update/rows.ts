import { pcg3d } from "@heddle/kernels";
import { IGNORE_INDEX, type EncodedRow } from "@heddle/training";
import type { Lessons } from "../lessons.ts";

type WindowsOf = Lessons["windowsOf"];

/**
 * Windows of a history in which only what came from place `from` on is learnt; none of a history of one event.
 *
 * @param skipped items that are not learnt either
 */
export function rowsOfNew(history: Int32Array, from: number, windowsOf: WindowsOf, skipped: ReadonlySet<number>): EncodedRow[] {
  const rows: EncodedRow[] = [];
  // Windows come newest first; the label at place i of one that ends before `end` is the history's event end − length + i. One without
  // labels is learnt anywhere.
  let end = history.length;
  for (const { inputIds, label } of windowsOf(history)) {
    const first = end - inputIds.length;
    const labels = Array.from((label as readonly number[] | undefined) ?? inputIds, (row, i) => (first + i < from || skipped.has(row - 1) ? IGNORE_INDEX : row));
    if (labels.some((row) => row !== IGNORE_INDEX)) rows.push({ inputIds, label: labels });
    if (first <= from) break;
    end -= inputIds.length;
  }
  return rows;
}

/** `count` of the values, drawn with replacement and the same way for the same numbers. Empty of none. */
export function draw<T>(values: readonly T[], count: number, seed: number, round: number): T[] {
  return values.length === 0 ? [] : Array.from({ length: count }, (_, i) => values[Math.floor((pcg3d(seed, round, i)[0] / 2 ** 32) * values.length)]!);
}

/**
 * Every new row once an epoch, in another order each time, spread evenly over its batches, with old rows between them.
 *
 * @param replayRatio old rows for each new one
 * @param old histories to draw windows from
 */
export function batchesOf(fresh: readonly EncodedRow[], old: readonly Int32Array[], { batchSize, numEpochs, replayRatio, windowsOf, seed }: { readonly batchSize: number; readonly numEpochs: number; readonly replayRatio: number; readonly windowsOf: WindowsOf; readonly seed: number }, round: number): EncodedRow[][] {
  const batches: EncodedRow[][] = [];
  const freshInBatch = Math.max(1, Math.floor(batchSize / (1 + replayRatio)));
  const perEpoch = Math.ceil(fresh.length / freshInBatch);
  for (let epoch = 0; epoch < numEpochs; epoch++) {
    const key = round * numEpochs + epoch;
    const order = fresh.map((row, i) => ({ row, at: pcg3d(seed, key, i)[1] })).sort((a, b) => a.at - b.at);
    for (let batch = 0; batch < perEpoch; batch++) {
      const own = order.slice(batch * freshInBatch, (batch + 1) * freshInBatch).map(({ row }) => row);
      const replayed = draw(old, Math.min(batchSize - own.length, Math.round(own.length * replayRatio)), seed, key * perEpoch + batch);
      batches.push([...own, ...replayed.flatMap((history) => windowsOf(history).slice(0, 1))]);
    }
  }
  return batches;
}
