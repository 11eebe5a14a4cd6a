import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const GOOD = ["loved it", "works well", "very happy", "great value", "nice and quiet", "would buy again"];
const BAD = ["broke at once", "never again", "too loud", "waste of money", "arrived late", "very sad"];

/** A dozen rows that a command can train on in a second, in the columns `text` and `label`. */
export const tinyCsv = `text,label\n${GOOD.map((text, i) => `${text},good\n${BAD[i]},bad\n`).join("")}`;

/** The least that training can do, on the device that every machine has. */
export const tinyTraining = ["--device", "reference", "--max-steps", "2", "--batch-size", "4", "--max-length", "8"] as const;

/** Every file below a folder with a fingerprint of its content. */
export function contentOf(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {};
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(names.map((entry) => join(entry.parentPath, entry.name)).sort().map((path) => [path, createHash("sha256").update(readFileSync(path)).digest("hex")]));
}
