import { describe, expect, it } from "vitest";
import { collate, type CollateOptions } from "./collate.ts";
import { datasetFingerprint, type EncodedRow } from "./dataset.ts";

const options: CollateOptions = { problem: "single-label", batchSize: 3, buckets: [4, 8], padTokenId: 9, numLabels: 3, tokenTypes: true };
const row = (ids: number[], label?: EncodedRow["label"]): EncodedRow => ({ inputIds: Int32Array.from(ids), ...(label !== undefined && { label }) });
const values = (batch: ReturnType<typeof collate>, name: string) => [...batch[name]!.data];

describe("collate", () => {
  it("pads rows to a bucket and missing rows to the batch", () => {
    const batch = collate([row([1, 2, 3, 4, 5], 2), { ...row([6], 0), tokenTypeIds: Int32Array.of(1) }], options);
    expect(batch["inputIds"]!.shape).toEqual([3, 8]);
    expect(values(batch, "inputIds")).toEqual([1, 2, 3, 4, 5, 9, 9, 9, 6, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]);
    expect(values(batch, "attentionMask")).toEqual([1, 1, 1, 1, 1, 0, 0, 0, 1, ...new Array<number>(15).fill(0)]);
    expect(values(batch, "tokenTypeIds")).toEqual([...new Array<number>(8).fill(0), 1, ...new Array<number>(15).fill(0)]);
    expect(values(batch, "labels")).toEqual([2, 0, -100]);
  });

  it("makes the labels of each problem", () => {
    expect(collate([row([1], 0.5)], { ...options, problem: "regression", numLabels: 1 })["labels"]).toEqual({ shape: [3, 1], data: Float32Array.of(0.5, 0, 0) });
    expect(collate([row([1], [0, 1, 1])], { ...options, problem: "multi-label", batchSize: 1 })["labels"]).toEqual({ shape: [1, 3], data: Float32Array.of(0, 1, 1) });
    expect(collate([row([1, 2], [1, -100])], { ...options, problem: "token-classification", batchSize: 1 })["labels"]).toEqual({ shape: [1, 4], data: Int32Array.of(1, -100, -100, -100) });
    const span = collate([row([1, 2], [0, 1])], { ...options, problem: "question-answering", batchSize: 2 });
    expect([values(span, "startPositions"), values(span, "endPositions")]).toEqual([[0, -100], [1, -100]]);
    expect(collate([row([1])], options)["labels"]).toBeUndefined();
  });

  it.each<[string, readonly EncodedRow[], Partial<CollateOptions>, RegExp]>([
    ["too long", [row([1, 2, 3, 4, 5, 6, 7, 8, 9], 0)], {}, /a row has 9 tokens, the model takes at most 8; truncate it/],
    ["label out of range", [row([1], 3)], {}, /label 3 is not a class id of 0 … 2/],
    ["fractional label", [row([1], 0.5)], {}, /label 0.5 is not a class id/],
    ["label missing", [row([1], 0), row([1])], {}, /some rows have a label and some have none/],
    ["too few labels", [row([1, 2], [1])], { problem: "token-classification" }, /must be 2 numbers, it has 1/],
    ["NaN", [row([1], NaN)], { problem: "regression", numLabels: 1 }, /not finite/],
    ["too many rows", [row([1]), row([1]), row([1]), row([1])], {}, /4 rows do not fit a batch of 3/],
  ])("refuses %s", (_, rows, changes, message) => {
    expect(() => collate(rows, { ...options, ...changes })).toThrow(message);
  });

  it("replaces tokens at the given rate, special ones never, the same for the same seed, epoch and row", () => {
    const ids = Int32Array.from({ length: 4000 }, (_, i) => (i % 10 === 0 ? 1 : 5));
    const dropped = (epoch: number, rowNumber: number) =>
      collate([{ inputIds: ids, label: 0 }], { ...options, buckets: [4000], batchSize: 1, tokenDropout: { maskTokenProbability: 0.2, replacementId: 7, specialTokenIds: [1], seed: 3, epoch, rowNumbers: [rowNumber] } })["inputIds"]!.data;
    const first = dropped(0, 0);
    expect(first).toEqual(dropped(0, 0));
    expect(first).not.toEqual(dropped(1, 0));
    expect(first).not.toEqual(dropped(0, 1));
    expect(first.filter((id) => id === 1).length).toBe(400);
    expect(Math.abs(first.filter((id) => id === 7).length - 720)).toBeLessThan(5 * Math.sqrt(3600 * 0.16));
    expect(ids.includes(7)).toBe(false);
  });
});

describe("datasetFingerprint", () => {
  const rows = [row([1, 2, 3], 1), row([4], 0)];
  it("sees every change", () => {
    const changed = [rows.slice(1), [rows[1]!, rows[0]!], [row([1, 2, 4], 1), rows[1]!], [row([1, 2, 3], 0), rows[1]!], [row([1, 2], 1), row([3, 4], 0)], [row([1, 2, 3], 1.5), rows[1]!], [row([1, 2, 3]), rows[1]!]];
    const prints = [rows, ...changed].map(datasetFingerprint);
    expect(new Set(prints).size).toBe(prints.length);
    expect(prints.every((print) => /^[0-9a-f]{16}$/.test(print))).toBe(true);
    expect(datasetFingerprint([...rows])).toBe(prints[0]);
  });
});
