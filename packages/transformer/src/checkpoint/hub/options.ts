import { HeddleError } from "@heddle/kernels";
import { isNode, nodeModules } from "../source/node.ts";

/** From where a model of the Hugging Face Hub comes; nothing of it matters for folders, addresses and files. */
export interface HubAccess {
  /** A branch, a tag or a commit. Default "main". */
  readonly revision?: string;
  /** For private and gated models; sent to the endpoint alone. Default in Node: HF_TOKEN. */
  readonly token?: string;
  /** Take what the cache has and never ask the network. Default in Node: whether HF_HUB_OFFLINE is 1. */
  readonly localFilesOnly?: boolean;
  /** Default in Node HF_ENDPOINT, else https://huggingface.co. */
  readonly endpoint?: string | URL;
  /**
   * Node only. Default: `hub` in HEDDLE_CACHE; else HF_HUB_CACHE, or `hub` in HF_HOME, whose files Python's huggingface_hub shares; else
   * `heddle/hub` in the user's cache folder.
   */
  readonly cacheFolder?: string;
  readonly fetch?: typeof fetch;
}

export interface HubOptions extends HubAccess {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Hears what is odd but no error, such as a hub that cannot be reached. Default: `console.warn`. */
  readonly log?: (line: string) => void;
}

/** How far the download of a file is. */
export interface DownloadProgress {
  readonly type: "download";
  /** Its path in the repository. */
  readonly file: string;
  /** With what an earlier, broken download left. */
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

/** The options with all defaults. */
export interface HubSettings extends Pick<HubOptions, "signal" | "onProgress"> {
  readonly revision: string;
  readonly token: string | undefined;
  readonly localFilesOnly: boolean;
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** Undefined in browsers. */
  readonly cacheFolder: string | undefined;
  readonly fetch: typeof fetch;
  readonly log: (line: string) => void;
}

/** Throws INVALID_ARGUMENT. */
export function hubSettings(options: HubOptions): HubSettings {
  const { revision = "main", token = environment("HF_TOKEN"), localFilesOnly = environment("HF_HUB_OFFLINE") === "1", endpoint = environment("HF_ENDPOINT") ?? "https://huggingface.co" } = options;
  if (!/^\w[\w./-]*$/.test(revision) || revision.includes("..")) throw new HeddleError("INVALID_ARGUMENT", `[hub] ${JSON.stringify(revision)} is no revision: give a branch, a tag or a commit`);
  if (!URL.canParse(endpoint)) throw new HeddleError("INVALID_ARGUMENT", `[hub] ${JSON.stringify(endpoint)} is no address: an endpoint looks like https://huggingface.co`);
  return {
    revision,
    token: token || undefined,
    localFilesOnly,
    endpoint: new URL(endpoint).href.replace(/\/+$/, ""),
    cacheFolder: isNode() ? (options.cacheFolder ?? defaultCacheFolder()) : undefined,
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    log: options.log ?? say,
    ...(options.signal && { signal: options.signal }),
    ...(options.onProgress && { onProgress: options.onProgress }),
  };
}

// oxlint-disable-next-line no-console -- what is odd must be seen where nobody asked to hear it
const say = (line: string) => console.warn(line);

function defaultCacheFolder(): string {
  const { path, os } = nodeModules("hub");
  const own = environment("HEDDLE_CACHE");
  if (own !== undefined) return path.join(own, "hub");
  const home = environment("HF_HOME");
  const shared = environment("HF_HUB_CACHE") ?? (home === undefined ? undefined : path.join(home, "hub"));
  return shared ?? path.join(environment("XDG_CACHE_HOME") ?? path.join(os.homedir(), ".cache"), "heddle", "hub");
}

/** Undefined where it is empty, and in browsers. */
function environment(name: string): string | undefined {
  return isNode() ? process.env[name] || undefined : undefined;
}
