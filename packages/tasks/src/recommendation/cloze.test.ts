import { describe, expect, it } from "vitest";
import { clozeCollator, clozeWindowsOf } from "./cloze.ts";

const ignored = -100;
const context = { batchSize: 2, training: true, seed: 1, epoch: 0 };
const options = { maxLength: 8, numItems: 400, numNegatives: 0, maskTokenId: 401, maskedShare: 0.3, lastMaskedShare: 0 };

/** A batch's rows without padding, and what is told at each place. */
function told(batch: ReturnType<ReturnType<typeof clozeCollator>>): { ids: number[]; hidden: Map<number, number> }[] {
  const { inputIds, labels, labelPlaces } = batch as Record<"inputIds" | "labels" | "labelPlaces", { shape: readonly number[]; data: Int32Array }>;
  const [rows, length] = inputIds.shape as [number, number];
  return Array.from({ length: rows }, (_, row) => ({
    ids: [...inputIds.data.subarray(row * length, (row + 1) * length)],
    hidden: new Map([...labels.data].flatMap((label, i) => (label !== ignored && Math.floor(labelPlaces.data[i]! / length) === row ? [[labelPlaces.data[i]! % length, label] as const] : []))),
  }));
}

describe("the cloze task", () => {
  it("cuts a history into pieces of two items at least", () => {
    expect(clozeWindowsOf([5, 6, 7, 8, 9, 10], 2).map(({ inputIds }) => [...inputIds])).toEqual([[9, 10, 11], [6, 7, 8]]);
    expect(clozeWindowsOf([5, 6, 7, 8], 2).map(({ inputIds }) => [...inputIds])).toEqual([[7, 8, 9]]);
    expect(clozeWindowsOf([5], 2)).toEqual([]);
  });

  it("hides only what a row has labels for", () => {
    const row = { inputIds: Int32Array.of(1, 2, 3, 4), label: [ignored, 2, ignored, 4] };
    for (let epoch = 0; epoch < 10; epoch++) {
      const [first] = told(clozeCollator({ ...options, lastMaskedShare: 0.3 })([row], { ...context, rowNumbers: [0], epoch }));
      expect(first!.hidden.size).toBeGreaterThan(0);
      for (const item of first!.hidden.values()) expect([2, 4]).toContain(item);
    }
  });

  it("hides items behind the mask, and tells them at their places", () => {
    const [row, short] = [[1, 2, 3, 4, 5, 6, 7], [8, 9]].map((items) => clozeWindowsOf(items, 7)[0]!);
    for (let epoch = 0; epoch < 20; epoch++) {
      const [long, two] = told(clozeCollator(options)([row!, short!], { ...context, rowNumbers: [0, 1], epoch }));
      for (const [{ ids, hidden }, items] of [[long!, [0, 2, 3, 4, 5, 6, 7, 8]], [two!, [0, 0, 0, 0, 0, 0, 9, 10]]] as const) {
        expect(hidden.size).toBeGreaterThan(0);
        expect(ids).toEqual(items.map((item, place) => (hidden.has(place) ? 401 : item)));
        for (const [place, item] of hidden) expect(item).toBe(items[place]);
      }
    }
  });

  it("draws as many as it is told, anew each epoch and the same for the same seed", () => {
    const rows = Array.from({ length: 200 }, (_, i) => clozeWindowsOf([i, 2, 3, 4, 5, 6, 7, 8], 7)[0]!);
    const draw = (epoch: number, more = {}) => told(clozeCollator({ ...options, ...more })(rows, { ...context, batchSize: 200, rowNumbers: rows.map((_, i) => i), epoch }));
    const hidden = (found: ReturnType<typeof told>) => found.reduce((total, row) => total + row.hidden.size, 0);
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
    // 1600 places at .3, and one each for those 5.8 % of windows that would have none.
    expect(Math.abs(hidden(draw(3)) - 491)).toBeLessThan(4 * Math.sqrt(1600 * 0.21));
    const lastAlone = (found: ReturnType<typeof told>) => found.filter((row) => row.hidden.size === 1 && row.hidden.has(7)).length;
    expect(lastAlone(draw(3, { lastMaskedShare: 1 }))).toBe(200);
    expect(Math.abs(lastAlone(draw(3, { lastMaskedShare: 0.5 })) - 105)).toBeLessThan(30);
  });
});
