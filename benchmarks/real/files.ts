import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// Real checkpoints and what Python makes of them. None of it is part of the repository: what is not on a machine is not checked there,
// and the tests say so.

const { env } = process;
const shared = env["HEDDLE_SHARED"] ?? fileURLToPath(new URL("../../../shared", import.meta.url));

export const golden = (name: string): string => join(shared, "golden", name);
export const data = (name: string): string => join(env["HEDDLE_DATA"] ?? join(shared, "data"), name);
/** What `fetch.sh` of the data brought. */
export const fetched = (name: string): string => join(env["HEDDLE_FETCH_DIR"] ?? join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "heddle-data"), name);

/** Whether all of them are there; says which are not. */
export function areHere(...paths: readonly string[]): boolean {
  const missing = paths.filter((path) => !existsSync(path));
  if (missing.length > 0) console.warn(`not checked, as these are not here: ${missing.join(", ")}; set HEDDLE_SHARED, HEDDLE_DATA or HEDDLE_FETCH_DIR`);
  return missing.length === 0;
}
