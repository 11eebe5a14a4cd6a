import type { Screen } from "../session/terminal.ts";

const MAX_BAR_COLUMNS = 30;
const MIN_BAR_COLUMNS = 6;

/**
 * A bar with texts behind it, on one line of the screen.
 *
 * @param share of the work that is done, 0 to 1
 * @param texts the most important first: the last go first where the screen is narrow
 */
export function barLine(share: number, texts: readonly string[], { colors, columns }: Screen): string {
  const width = columns();
  // The last column stays free, as some terminals wrap there.
  let shown = [...texts];
  while (shown.length > 1 && shown.join("  ").length >= width) shown = shown.slice(0, -1);
  const text = shown.join("  ").slice(0, Math.max(0, width - 1));
  const barColumns = Math.min(MAX_BAR_COLUMNS, width - text.length - 3);
  if (barColumns < MIN_BAR_COLUMNS) return text;
  const done = Math.round(barColumns * Math.min(1, Math.max(0, share)));
  return `${colors.cyan("━".repeat(done))}${colors.dim("─".repeat(barColumns - done))}  ${text}`;
}
