import { HeddleError } from "@heddle/kernels";
import { blobSource, type ByteSource } from "../source/byte-source.ts";
import { openFileSource } from "../source/file-source.ts";
import { fetchText, openHttpSource } from "../source/http-source.ts";
import { isNode, nodeModules, systemErrorCode } from "../source/node.ts";
import { parseHubId, type HubId } from "../hub/id.ts";

/**
 * Where a model lies: a path (Node), an address, files that a user picked or dropped, blobs by name, or the Hugging Face Hub.
 *
 * A string such as `org/name` or `org/name/file.gguf` is an id of the Hub, unless there is a folder or file of this path (Node). What begins
 * with `./`, `../` or `/` never is. In a browser all other strings are addresses, relative to the page.
 */
export type ModelFolderSource =
  | string
  | URL
  | UrlFolder
  | readonly File[]
  | FileList
  | ReadonlyMap<string, Blob>
  | Readonly<Record<string, Blob>>;

/** A folder behind HTTP, with a `fetch` of the caller's, e.g. one that sends a token. */
export interface UrlFolder {
  readonly baseUrl: string | URL;
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
}

/** Access by file name to the files of one folder. Absent files are undefined, not errors. */
export interface FolderFiles {
  readonly label: string;
  readText(name: string): Promise<string | undefined>;
  openBytes(name: string): Promise<ByteSource | undefined>;
  exists(name: string): Promise<boolean>;
}

/** The id that a source is by the rule of `ModelFolderSource`; undefined for all others. */
export async function hubId(source: ModelFolderSource): Promise<HubId | undefined> {
  const id = typeof source === "string" ? parseHubId(source) : undefined;
  if (!id || !isNode()) return id;
  const isThere = await nodeModules("openModelFolder").fs.access(source as string).then(() => true, () => false);
  return isThere ? undefined : id;
}

export async function folderFiles(source: ModelFolderSource): Promise<FolderFiles> {
  if (source instanceof URL) return source.protocol === "file:" ? pathFiles(filePath(source)) : urlFiles(source);
  if (typeof source === "string") {
    if (/^https?:\/\//.test(source)) return urlFiles(new URL(source));
    if (/^file:\/\//.test(source)) return pathFiles(filePath(new URL(source)));
    return isNode() ? pathFiles(source) : urlFiles(new URL(source, globalThis.location.href));
  }
  if (isUrlSource(source)) return urlFiles(new URL(source.baseUrl, globalThis.location?.href), source.fetch, source.signal);
  return blobFiles(blobsByName(source as BlobFolder));
}

/** The bytes of a source that is one GGUF file; undefined for all others. */
export async function ggufFile(source: ModelFolderSource): Promise<ByteSource | undefined> {
  const isGguf = (name: string) => name.toLowerCase().endsWith(".gguf");
  if (source instanceof URL || (typeof source === "string" && (/^https?:/.test(source) || !isNode()))) {
    const url = source instanceof URL ? source : new URL(source, globalThis.location?.href);
    if (!isGguf(url.pathname)) return undefined;
    if (url.protocol === "file:") return openFileSource(filePath(url));
    const opened = await openHttpSource(url.href, globalThis.fetch);
    if (!opened) throw new HeddleError("MODEL_FOLDER_NOT_FOUND", `[${url.href}] is not there: check the address`);
    return opened;
  }
  if (typeof source === "string") {
    if (!isGguf(source)) return undefined;
    const { fs } = nodeModules("openModelFolder");
    const isFile = await fs.stat(source).then((stat) => stat.isFile(), () => true);
    return isFile ? openFileSource(source) : undefined;
  }
  if (isUrlSource(source)) return undefined;
  const [first, ...others] = blobsByName(source as BlobFolder);
  return first && others.length === 0 && isGguf(first[0]) ? blobSource(first[1], first[0]) : undefined;
}

function isUrlSource(source: Exclude<ModelFolderSource, string | URL>): source is UrlFolder {
  return "baseUrl" in source && (typeof source.baseUrl === "string" || source.baseUrl instanceof URL);
}

function filePath(url: URL): string {
  const path = decodeURIComponent(url.pathname);
  return /^\/[A-Za-z]:/.test(path) ? path.slice(1) : path; // file:///C:/models
}

async function pathFiles(folder: string): Promise<FolderFiles> {
  const { fs, path } = nodeModules("openModelFolder");
  const isFolder = await fs.stat(folder).then(
    (stat) => stat.isDirectory(),
    (cause: unknown) => {
      throw new HeddleError("MODEL_FOLDER_NOT_FOUND", `[${folder}] is no folder that can be opened (${systemErrorCode(cause) ?? String(cause)}): pass the path of a folder with config.json and model.safetensors; relative paths start at ${process.cwd()}; a model of the Hugging Face Hub has a name of two parts, as org/name`, { cause });
    },
  );
  if (!isFolder) {
    throw new HeddleError("MODEL_FOLDER_NOT_FOUND", `[${folder}] is a file: pass the folder that it lies in (${path.dirname(folder)})`);
  }
  const isMissing = (cause: unknown): boolean => systemErrorCode(cause) === "ENOENT";
  return {
    label: folder,
    async readText(name) {
      try {
        return await fs.readFile(path.join(folder, name), "utf8");
      } catch (cause) {
        if (isMissing(cause)) return undefined;
        throw new HeddleError("FILE_UNREADABLE", `[${path.join(folder, name)}] could not be read (${(cause as Error).message}): check that you may read it`, { cause });
      }
    },
    async openBytes(name) {
      try {
        return await openFileSource(path.join(folder, name));
      } catch (error) {
        if (HeddleError.isInstance(error) && isMissing(error.cause)) return undefined;
        throw error;
      }
    },
    exists: (name) =>
      fs.access(path.join(folder, name)).then(
        () => true,
        () => false,
      ),
  };
}

function urlFiles(base: URL, fetchFile: typeof fetch = globalThis.fetch, signal?: AbortSignal): FolderFiles {
  const folder = new URL(base);
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  const address = (name: string): string => {
    const url = new URL(name, folder);
    url.search = folder.search;
    return url.href;
  };
  return {
    label: folder.href,
    readText: (name) => fetchText(address(name), fetchFile, signal),
    openBytes: (name) => openHttpSource(address(name), fetchFile, signal),
    async exists(name) {
      const source = await openHttpSource(address(name), fetchFile, signal);
      await source?.close();
      return source !== undefined;
    },
  };
}

type BlobFolder = Exclude<ModelFolderSource, string | URL | UrlFolder>;

function blobsByName(source: BlobFolder): ReadonlyMap<string, Blob> {
  if (source instanceof Map) return source;
  if (Symbol.iterator in source) return new Map([...(source as Iterable<File>)].map((file) => [nameInFolder(file), file]));
  return new Map(Object.entries(source));
}

/** A picked folder's files know their paths from its parent on; without them a sub-folder's config.json would pass for the model's. */
function nameInFolder(file: File): string {
  return file.webkitRelativePath ? file.webkitRelativePath.split("/").slice(1).join("/") : file.name;
}

function blobFiles(blobs: ReadonlyMap<string, Blob>): FolderFiles {
  const label = `the ${blobs.size} given files`;
  if (blobs.size === 0) {
    throw new HeddleError("MODEL_FOLDER_NOT_FOUND", "[openModelFolder] no files were given: pick or drop config.json, model.safetensors and tokenizer.json together");
  }
  return {
    label,
    readText: async (name) => blobs.get(name)?.text(),
    async openBytes(name) {
      const blob = blobs.get(name);
      return blob && blobSource(blob, name);
    },
    exists: async (name) => blobs.has(name),
  };
}
