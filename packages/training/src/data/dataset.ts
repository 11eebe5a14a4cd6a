/**
 * One example as token ids. What `label` holds depends on the task: a class id; a number (regression); a number a label,
 * 0 or 1 (multi-label) or any (several regressions); a class id a token (-100 ignores the token); start and end token.
 */
export interface EncodedRow {
  readonly inputIds: Int32Array;
  /** As long as `inputIds`; all 0 where absent. */
  readonly tokenTypeIds?: Int32Array;
  readonly label?: number | readonly number[];
}

export type EncodedDataset = readonly EncodedRow[];

/** A label that losses and metrics ignore, as in PyTorch. */
export const IGNORE_INDEX = -100;

/** 64 bits over every id and label, in order, as 16 hex digits: tells whether a run is resumed on the same data. */
export function datasetFingerprint(dataset: EncodedDataset): string {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  const number = new Float64Array(1);
  const words = new Int32Array(number.buffer);
  const take = (word: number) => {
    low = Math.imul(low ^ word, 0x01000193);
    low ^= low >>> 15;
    high = Math.imul(high ^ word, 0x85ebca6b);
    high ^= high >>> 13;
  };
  const takeNumber = (value: number) => {
    number[0] = value;
    take(words[0]!);
    take(words[1]!);
  };
  take(dataset.length);
  for (const { inputIds, tokenTypeIds, label } of dataset) {
    take(inputIds.length);
    for (const id of inputIds) take(id);
    take(tokenTypeIds ? 1 : 0);
    for (const id of tokenTypeIds ?? []) take(id);
    const labels = label === undefined ? [] : typeof label === "number" ? [label] : label;
    take(labels.length);
    for (const value of labels) takeNumber(value);
  }
  return [high, low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
