import { environment, hostProcess } from "./environment.ts";

/** What was measured to be faster. */
export interface RememberedChoice {
  readonly kind: "cpu" | "webgpu";
  readonly reason: string;
}

/** Choices of this process; in Node also of earlier ones, in a file. */
const choices = new Map<string, RememberedChoice>();
let loaded: Promise<void> | null = null;

export async function rememberedChoice(key: string): Promise<RememberedChoice | undefined> {
  await (loaded ??= load());
  return choices.get(key);
}

/** A file that cannot be written costs the next process a measurement, nothing else. */
export async function rememberChoice(key: string, choice: RememberedChoice): Promise<void> {
  choices.set(key, choice);
  const file = await cacheFile();
  if (!file) return;
  const { mkdir, rename, writeFile } = await import("node:fs/promises");
  const { dirname } = await import("node:path");
  try {
    await mkdir(dirname(file), { recursive: true });
    const unfinished = `${file}.${hostProcess!.pid}`;
    await writeFile(unfinished, JSON.stringify(Object.fromEntries(choices), null, 2));
    await rename(unfinished, file);
  } catch {}
}

async function load(): Promise<void> {
  const file = await cacheFile();
  if (!file) return;
  const { readFile } = await import("node:fs/promises");
  try {
    for (const [key, value] of Object.entries(JSON.parse(await readFile(file, "utf8")) as Record<string, Partial<RememberedChoice> | null>)) {
      if ((value?.kind === "cpu" || value?.kind === "webgpu") && typeof value.reason === "string") choices.set(key, { kind: value.kind, reason: value.reason });
    }
  } catch {}
}

/** `heddle/device-choices.json` in the user's cache folder; null in a browser. */
async function cacheFile(): Promise<string | null> {
  if (hostProcess?.versions?.node === undefined) return null;
  const [{ homedir }, { join }] = await Promise.all([import("node:os"), import("node:path")]);
  return join(environment("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "heddle", "device-choices.json");
}
