import { IGNORE_INDEX } from "@heddle/training";
import { describe, expect, it } from "vitest";
import { numLabels, windowsOf } from "../windows.ts";
import { batchesOf, rowsOfNew } from "./rows.ts";

const history = Int32Array.from({ length: 10 }, (_, i) => i + 10);
const byFour = (items: ArrayLike<number>) => windowsOf(items, 4);
const none = new Set<number>();

describe("rows of new events", () => {
  it("learn only what is new, with what came before it", () => {
    expect(rowsOfNew(history, 7, byFour, none)).toEqual([{ inputIds: Int32Array.of(16, 17, 18, 19), label: [IGNORE_INDEX, 18, 19, 20] }]);
    expect(rowsOfNew(history, 9, byFour, new Set([19]))).toEqual([]);
    expect(rowsOfNew(history.subarray(0, 1), 0, byFour, none)).toEqual([]);
    // All events but the first, over several windows.
    expect(rowsOfNew(history, 0, byFour, none)).toEqual(windowsOf(history, 4));
    expect(rowsOfNew(history, 4, byFour, none).reduce((sum, row) => sum + numLabels(row), 0)).toBe(6);
  });

  it("are spread over batches, each once an epoch, with old histories between them", () => {
    const fresh = Array.from({ length: 5 }, (_, i) => rowsOfNew(history.subarray(i), 1, byFour, none)[0]!);
    const options = { batchSize: 8, numEpochs: 2, replayRatio: 3, windowsOf: byFour, seed: 1 };
    const batches = batchesOf(fresh, [Int32Array.of(1, 2, 3)], options, 0);
    expect(batches.map(({ length }) => length)).toEqual([8, 8, 4, 8, 8, 4]);
    for (const epoch of [batches.slice(0, 3), batches.slice(3)]) for (const row of fresh) expect(epoch.flat().filter((other) => other === row)).toHaveLength(1);
    expect(batchesOf(fresh, [Int32Array.of(1, 2, 3)], options, 0)).toEqual(batches);
    expect(batchesOf(fresh, [], options, 0).map(({ length }) => length)).toEqual([2, 2, 1, 2, 2, 1]);
  });
});
