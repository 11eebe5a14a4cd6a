import { geometricBuckets, pcg3d, roundUpToBucket } from "@heddle/kernels";
import { IGNORE_INDEX, type DataCollator, type EncodedRow } from "@heddle/training";

/** A history cut into pieces of at most `maxLength` places, newest first, each with what came next at every place. */
export function windowsOf(history: ArrayLike<number>, maxLength: number): EncodedRow[] {
  const windows: EncodedRow[] = [];
  for (let end = history.length - 1; end > 0; end -= maxLength) {
    const begin = Math.max(0, end - maxLength);
    const rows = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => history[from + i]! + 1);
    windows.push({ inputIds: Int32Array.from(rows(begin, end)), label: rows(begin + 1, end + 1) });
  }
  return windows;
}

/** Places of a row that are learnt. */
export const numLabels = ({ label }: EncodedRow): number => (label as readonly number[]).filter((row) => row !== IGNORE_INDEX).length;

export interface WindowCollatorOptions {
  readonly maxLength: number;
  readonly numItems: number;
  /** Items drawn for each batch; 0 for none. */
  readonly numNegatives: number;
  /** More padding and so fewer programs to compile, for a few steps now and then. Default false. */
  readonly fewShapes?: boolean;
}

/** Windows padded on the left, as the newest item stands at the last place; labels of the places that have one, and nothing of the others: those without are `IGNORE_INDEX`. */
export function windowCollator({ maxLength, numItems, numNegatives, fewShapes = false }: WindowCollatorOptions): DataCollator {
  const lengths = fewShapes ? [maxLength] : geometricBuckets(maxLength);
  return (rows, { batchSize, rowNumbers, seed, epoch }) => {
    const longest = rows.reduce((most, { inputIds }) => Math.max(most, inputIds.length), 1);
    const total = rows.reduce((sum, row) => sum + numLabels(row), 0);
    const length = roundUpToBucket(longest, lengths);
    const most = batchSize * length;
    const places = roundUpToBucket(Math.max(1, total), fewShapes ? [Math.ceil(most / 8), Math.ceil(most / 3), most] : geometricBuckets(most, batchSize));
    const inputIds = new Int32Array(batchSize * length);
    const attentionMask = new Int32Array(batchSize * length);
    const labels = new Int32Array(places).fill(IGNORE_INDEX);
    const labelPlaces = new Int32Array(places);
    let place = 0;
    rows.forEach((row, i) => {
      const first = (i + 1) * length - row.inputIds.length;
      inputIds.set(row.inputIds, first);
      attentionMask.fill(1, first, first + row.inputIds.length);
      for (const [n, label] of (row.label as readonly number[]).entries()) {
        if (label === IGNORE_INDEX) continue;
        labels[place] = label;
        labelPlaces[place++] = first + n;
      }
    });
    const draw = (i: number) => 1 + Math.floor((pcg3d(seed ^ rowNumbers[0]!, epoch, i)[0] / 2 ** 32) * numItems);
    return {
      inputIds: { shape: [batchSize, length], data: inputIds },
      attentionMask: { shape: [batchSize, length], data: attentionMask },
      labels: { shape: [places], data: labels },
      labelPlaces: { shape: [places], data: labelPlaces },
      ...(numNegatives > 0 && { negatives: { shape: [numNegatives], data: Int32Array.from({ length: numNegatives }, (_, i) => draw(i)) } }),
    };
  };
}
