import type { RowProblem } from "./records.ts";

export interface JsonRows {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly line: number; readonly values: Readonly<Record<string, string>> }[];
  readonly problems: readonly RowProblem[];
}

/** One JSON object a line. A key that a line lacks is an empty value there. */
export function parseJsonLines(text: string): JsonRows {
  const columns = new Set<string>();
  const rows: { line: number; values: Record<string, string> }[] = [];
  const problems: RowProblem[] = [];
  text.split("\n").forEach((lineText, i) => {
    if (lineText.trim() === "") return;
    const line = i + 1;
    let value: unknown;
    try {
      value = JSON.parse(lineText);
    } catch (error) {
      problems.push({ line, reason: `is no valid JSON (${(error as Error).message})` });
      return;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      problems.push({ line, reason: 'is no JSON object such as {"text": "…", "label": "…"}' });
      return;
    }
    // A null prototype: a key such as "constructor" is data.
    const values = Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(Object.entries(value).map(([key, field]) => [key, asText(field)])));
    for (const key of Object.keys(values)) columns.add(key);
    rows.push({ line, values });
  });
  return { columns: [...columns], rows, problems };
}

function asText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null ? "" : JSON.stringify(value);
}
