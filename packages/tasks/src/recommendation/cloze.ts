import { pcg3d } from "@heddle/kernels";
import { IGNORE_INDEX, type DataCollator, type EncodedRow } from "@heddle/training";
import { windowCollator, type WindowCollatorOptions } from "./windows.ts";

// The cloze task, by which BERT4Rec learns (Sun et al. 2019, arXiv:1904.06690, section 3.6): some items of a window are hidden behind a
// mask, and told from the others. As what is asked later is always what comes last, some windows have the last item hidden alone. What
// is hidden is drawn anew each epoch.

/** A history cut into pieces of at most `maxLength` items and one to be told, newest first. */
export function clozeWindowsOf(history: ArrayLike<number>, maxLength: number): EncodedRow[] {
  const windows: EncodedRow[] = [];
  for (let end = history.length; end > 1; end -= maxLength + 1) {
    const begin = Math.max(0, end - maxLength - 1);
    windows.push({ inputIds: Int32Array.from({ length: end - begin }, (_, i) => history[begin + i]! + 1) });
  }
  return windows;
}

export interface ClozeOptions extends WindowCollatorOptions {
  readonly maskTokenId: number;
  /** Of a window's items, how many are hidden; one at least. */
  readonly maskedShare: number;
  /** Of the windows, how many have the last item hidden alone. */
  readonly lastMaskedShare: number;
}

/** Windows with some items hidden, and those as labels. Of a row that has labels already, only the places that have one may be hidden. */
export function clozeCollator({ maskTokenId, maskedShare, lastMaskedShare, ...options }: ClozeOptions): DataCollator {
  const collate = windowCollator(options);
  return (rows, context) => {
    const { rowNumbers, seed, epoch } = context;
    const hide = ({ inputIds, label }: EncodedRow, draw: (i: number) => number): EncodedRow => {
      const may = [...inputIds.keys()].filter((i) => label === undefined || (label as readonly number[])[i] !== IGNORE_INDEX);
      const last = inputIds.length - 1;
      const onlyLast = may.at(-1) === last && draw(0) < lastMaskedShare;
      const one = onlyLast ? last : may[Math.floor(draw(1) * may.length)];
      const drawn = Array.from(inputIds, () => false);
      if (!onlyLast) for (const i of may) drawn[i] = draw(2 + i) < maskedShare;
      const isHidden = drawn.includes(true) ? drawn : drawn.map((_, i) => i === one);
      return { inputIds: inputIds.map((item, i) => (isHidden[i] ? maskTokenId : item)), label: Array.from(inputIds, (item, i) => (isHidden[i] ? item : IGNORE_INDEX)) };
    };
    const hidden = rows.map((row, i) => hide(row, (n) => pcg3d(seed ^ rowNumbers[i]!, epoch, n)[1] / 2 ** 32));
    return collate(hidden, context);
  };
}
