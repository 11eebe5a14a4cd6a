import Table from "cli-table3";

const NO_LINES = { top: "", "top-mid": "", "top-left": "", "top-right": "", bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "", left: "", "left-mid": "", mid: "", "mid-mid": "", right: "", "right-mid": "", middle: "  " };

/** Columns side by side, as wide as their widest cell; the first is left-aligned, the others right unless told. */
export function columns(rows: readonly (readonly string[])[], aligns: readonly ("left" | "right")[] = []): string {
  if (rows.length === 0) return "";
  const table = new Table({
    chars: NO_LINES,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    colAligns: rows[0]!.map((_, column) => aligns[column] ?? (column === 0 ? "left" : "right")),
  });
  for (const row of rows) table.push([...row]);
  return `${table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")}\n`;
}
