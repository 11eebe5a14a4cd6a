/** The items of a history, each once, ascending. */
export function distinctItems(history: Int32Array): Int32Array {
  const sorted = history.slice().sort();
  let count = 0;
  for (let at = 0; at < sorted.length; at++) if (at === 0 || sorted[at] !== sorted[at - 1]) sorted[count++] = sorted[at]!;
  return sorted.subarray(0, count);
}
