import { HeddleError } from "@heddle/kernels";
import { hashOf } from "./hash.ts";
import type { HubSettings } from "./options.ts";
import { requestError, STALL_MS } from "./request.ts";
import type { HubFile, HubStore, PartialFile } from "./store/store.ts";

/** Attempts that bring nothing, one after another, until the download is given up. */
const FRUITLESS_ATTEMPTS = 4;

/** A repository at a commit, and where its files are kept. */
export interface HubContext {
  readonly repository: string;
  readonly commit: string;
  readonly settings: HubSettings;
  /** See `hubFetch`. */
  readonly request: typeof fetch;
  readonly store: HubStore;
  /** Before the second attempt; each further one waits twice as long. */
  readonly retryMs: number;
}

/**
 * Downloads a file into the store: from where an earlier download ended, again where the connection breaks, and checks its size and its hash
 * before anyone can open it.
 *
 * Errors: those of `hubFetch`; DOWNLOAD_CORRUPT, DISK_FULL, FOLDER_NOT_WRITABLE, NOT_CACHED. What arrived stays for the next time, but for
 * contents with a wrong hash.
 */
export async function downloadFile(file: HubFile, context: HubContext): Promise<void> {
  await withPartial(file, context, async (partial) => {
    for (let attempt = 1; ; attempt++) {
      await receive(file, file.sizeBytes, partial, context);
      if (await isRight(file, partial, context)) return partial.publish();
      await partial.clear();
      // What was there before may be the fault of a power cut; what comes wrong twice is the server's.
      if (attempt === 2) {
        throw new HeddleError("DOWNLOAD_CORRUPT", `[${context.repository}] ${file.path} came twice with other contents than the hub's list of files says (${file.hash.algorithm} ${file.hash.hex}): a proxy or mirror changes or cuts files; take another network or endpoint`);
      }
    }
  });
}

/** Bytes near the beginning of a file, which with all before them count as the start of its download. Errors: those of `downloadFile`. */
export async function downloadRange(file: HubFile, begin: number, end: number, context: HubContext): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await withPartial(file, context, async (partial) => {
    await receive(file, end, partial, context);
    return partial.readRange(begin, end);
  });
  if (bytes) return bytes;
  const whole = (await context.store.open(file))!;
  try {
    return await whole.readRange(begin, end);
  } finally {
    await whole.close();
  }
}

/** Undefined where somebody else brought the file meanwhile. */
async function withPartial<T>(file: HubFile, { repository, settings, store }: HubContext, work: (partial: PartialFile) => Promise<T>): Promise<T | undefined> {
  const { signal, localFilesOnly, log } = settings;
  if (localFilesOnly) {
    throw new HeddleError("NOT_CACHED", `[${repository}] ${file.path} is not in ${store.place}, and localFilesOnly (or HF_HUB_OFFLINE) forbids to download it: load the model once without`);
  }
  let partial: PartialFile | undefined;
  try {
    partial = await store.claim(file, (who) => log(`[${repository}] ${file.path} is being downloaded by ${who}: waiting for it`), signal);
    const whole = await store.open(file);
    if (whole) {
      await whole.close();
      return undefined;
    }
    await partial.requireRoom();
    return await work(partial);
  } catch (error) {
    if (!signal?.aborted) throw error;
    const kept = partial ? `: ${partial.sizeBytes.toLocaleString("en")} of the ${file.sizeBytes.toLocaleString("en")} bytes of ${file.path} are kept, and the next load goes on there` : "";
    throw new HeddleError("ABORTED", `[${repository}] the download was stopped${kept}`, { cause: signal.reason });
  } finally {
    await partial?.release();
  }
}

/** Brings the bytes up to `end`. */
async function receive(file: HubFile, end: number, partial: PartialFile, context: HubContext): Promise<void> {
  const { repository, retryMs } = context;
  if (partial.sizeBytes > file.sizeBytes) await partial.clear();
  let fruitless = 0;
  while (partial.sizeBytes < end) {
    const before = partial.sizeBytes;
    let failure: HeddleError;
    try {
      await receiveOnce(file, end, partial, context);
      if (partial.sizeBytes >= end) return;
      failure = new HeddleError("DOWNLOAD_FAILED", `[${repository}] the answer ended early`);
    } catch (error) {
      if (!HeddleError.isInstance(error) || error.code !== "DOWNLOAD_FAILED") throw error;
      failure = error;
    }
    fruitless = partial.sizeBytes > before ? 0 : fruitless + 1;
    if (fruitless === FRUITLESS_ATTEMPTS) {
      throw new HeddleError("DOWNLOAD_FAILED", `${failure.message}. ${partial.sizeBytes.toLocaleString("en")} of the ${file.sizeBytes.toLocaleString("en")} bytes of ${file.path} are kept: load again, which goes on there`, { cause: failure });
    }
    await pause(retryMs * 2 ** fruitless, context.settings.signal);
  }
}

async function receiveOnce(file: HubFile, end: number, partial: PartialFile, { repository, commit, settings, request }: HubContext): Promise<void> {
  const { endpoint, onProgress } = settings;
  const begin = partial.sizeBytes;
  const stalled = new AbortController();
  const response = await request(`${endpoint}/${repository}/resolve/${commit}/${file.path.split("/").map(encodeURIComponent).join("/")}`, { headers: { Range: `bytes=${begin}-${end - 1}` }, signal: stalled.signal });
  const from = Number(/^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "")?.[1] ?? 0);
  if (from !== begin) await partial.clear(); // a server that gives no ranges begins anew
  const reader = response.body!.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waitOn = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => stalled.abort(new Error(`nothing came for ${STALL_MS / 1000} s`)), STALL_MS);
  };
  try {
    if (from !== 0 && from !== begin) throw new HeddleError("DOWNLOAD_FAILED", `[${repository}] ${endpoint} sent ${file.path} from byte ${from} on instead of ${begin}`);
    while (partial.sizeBytes < end) {
      waitOn();
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw requestError(repository, settings, cause);
      });
      if (done) return;
      await partial.append(value.subarray(0, file.sizeBytes - partial.sizeBytes));
      onProgress?.({ type: "download", file: file.path, receivedBytes: partial.sizeBytes, totalBytes: file.sizeBytes });
    }
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => undefined);
  }
}

async function isRight(file: HubFile, partial: PartialFile, { settings }: HubContext): Promise<boolean> {
  return (await hashOf(partial, file.hash.algorithm, settings.signal)) === file.hash.hex;
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
