import { HeddleError } from "@heddle/kernels";
import type { LabelledText } from "./types.ts";

/** The distinct labels in a stable order: numbers by value where all are numbers, else by code units. */
export function labelsOf(rows: readonly LabelledText[]): string[] {
  const labels = [...new Set(rows.map(({ label }) => String(label)))];
  const allNumbers = labels.every((label) => label.trim() !== "" && Number.isFinite(Number(label)));
  return labels.sort((a, b) => (allNumbers ? Number(a) - Number(b) : 0) || (a < b ? -1 : a > b ? 1 : 0));
}

/** Throws DATA_EMPTY or ONE_CLASS_ONLY where rows cannot teach a classifier anything. */
export function requireTwoLabels(where: string, rows: readonly LabelledText[]): string[] {
  if (rows.length === 0) throw new HeddleError("DATA_EMPTY", `[${where}] got no rows: pass rows such as { text: "Loved it", label: "positive" }`);
  const labels = labelsOf(rows);
  if (labels.length < 2) {
    throw new HeddleError("ONE_CLASS_ONLY", `[${where}] all ${rows.length} rows have the label ${JSON.stringify(labels[0])}: add rows with at least one other label, or check that the label column is the right one`);
  }
  return labels;
}
