import { HeddleError } from "@heddle/kernels";
import { CONFIG_FILE } from "../folder/names.ts";
import type { FolderFiles } from "../folder/source.ts";
import type { ByteSource } from "../source/byte-source.ts";
import type { HubContext } from "./download.ts";
import { hubSettings, type HubOptions } from "./options.ts";
import { hubFetch } from "./request.ts";
import { resolveSnapshot, type Snapshot } from "./snapshot.ts";
import { hubSource } from "./source.ts";

const RETRY_MS = 500;

/**
 * A repository of the Hub as a model folder: its list of files now, each file when it is asked for.
 *
 * Errors: HUB_ACCESS_DENIED, HUB_NOT_FOUND, DOWNLOAD_FAILED, NOT_CACHED, INVALID_ARGUMENT; reading adds those of `downloadFile`.
 */
export async function hubFiles(repository: string, options: HubOptions): Promise<FolderFiles> {
  const { context, snapshot } = await openRepository(repository, options);
  const label = context.settings.revision === "main" ? repository : `${repository}@${context.settings.revision}`;
  requireConfig(label, snapshot);
  const sourceOf = (name: string): ByteSource | undefined => {
    const file = snapshot.files.get(name);
    return file && hubSource(file, context);
  };
  return {
    label,
    async readText(name) {
      const source = sourceOf(name);
      if (!source) return undefined;
      try {
        await source.download!();
        return new TextDecoder().decode(await source.readRange(0, source.sizeBytes));
      } finally {
        await source.close();
      }
    },
    openBytes: async (name) => sourceOf(name),
    exists: async (name) => snapshot.files.has(name),
  };
}

/** The GGUF file that an id names. Errors: those of `hubFiles`; HUB_NOT_FOUND. */
export async function hubGguf(repository: string, path: string, options: HubOptions): Promise<ByteSource> {
  const { context, snapshot } = await openRepository(repository, options);
  const file = snapshot.files.get(path);
  if (!file) throw new HeddleError("HUB_NOT_FOUND", `[${repository}] has no file ${path}${ggufAdvice(snapshot)}: check the name and the revision`);
  return hubSource(file, context);
}

export async function openRepository(repository: string, options: HubOptions): Promise<{ context: HubContext; snapshot: Snapshot }> {
  const settings = hubSettings(options);
  const store = settings.cacheFolder === undefined ? (await import("./store/browser-store.ts")).browserStore(repository, settings) : (await import("./store/folder-store.ts")).folderStore(settings.cacheFolder, repository);
  const request = hubFetch(repository, settings);
  const snapshot = await resolveSnapshot(repository, settings, request, store);
  return { context: { repository, commit: snapshot.commit, settings, request, store, retryMs: RETRY_MS }, snapshot };
}

function requireConfig(label: string, snapshot: Snapshot): void {
  if (snapshot.files.has(CONFIG_FILE)) return;
  const advice = ggufAdvice(snapshot);
  throw new HeddleError("CONFIG_MISSING", `[${label}] has no ${CONFIG_FILE}${advice}: ${advice === "" ? "choose a repository of a model that Python's transformers loads" : "name one of them after the repository, as org/name/file.gguf"}`);
}

/** Which GGUF files there are. */
function ggufAdvice({ files }: Snapshot): string {
  const names = [...files.keys()].filter((path) => path.toLowerCase().endsWith(".gguf"));
  return names.length === 0 ? "" : ` but ${names.slice(0, 4).join(", ")}${names.length > 4 ? ` and ${names.length - 4} more` : ""}`;
}
