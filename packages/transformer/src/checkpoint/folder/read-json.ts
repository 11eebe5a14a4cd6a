import { parseJsonFile } from "../json.ts";
import type { ModelFolder } from "./open.ts";

/** A JSON file of the folder; undefined where it is absent. Errors: CONFIG_INVALID. */
export async function readJson(folder: ModelFolder, name: string): Promise<unknown> {
  const text = await folder.readText(name);
  return text === undefined ? undefined : parseJsonFile(text, `[${folder.label}] ${name}`);
}
