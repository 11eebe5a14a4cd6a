/** A part of a long list, [begin, end). */
export interface Window {
  readonly begin: number;
  readonly end: number;
}

/** From which end of a text something is taken, or on which side of it something is put. */
export type Side = "left" | "right";

/**
 * Windows of at most `size` that share `stride` with the one before (tokenizers' `Encoding::truncate`): from the beginning up to the end, or
 * from the end back to the beginning where the left side is the one that is cut.
 */
export function windowsOf(length: number, size: number, stride: number, cut: Side = "right"): Window[] {
  const windows: Window[] = [];
  for (let begin = 0; ; begin += size - stride) {
    const end = Math.min(begin + size, length);
    windows.push(cut === "right" ? { begin, end } : { begin: length - end, end: length - begin });
    if (end === length) return windows;
  }
}
