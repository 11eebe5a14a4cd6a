/** A part of a long list, [begin, end). */
export interface Window {
  readonly begin: number;
  readonly end: number;
}

/** Windows of at most `size` that share `stride` with the one before, up to the end (tokenizers' `truncate` with a stride). */
export function windowsOf(length: number, size: number, stride: number): Window[] {
  const windows: Window[] = [];
  for (let begin = 0; ; begin += size - stride) {
    const end = Math.min(begin + size, length);
    windows.push({ begin, end });
    if (end === length) return windows;
  }
}
