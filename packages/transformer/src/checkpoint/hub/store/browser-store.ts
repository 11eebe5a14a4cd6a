import { HeddleError } from "@heddle/kernels";
import { blobSource, type ByteSource } from "../../source/byte-source.ts";
import type { HubSettings } from "../options.ts";
import { takeTurn } from "./turns.ts";
import type { HubFile, HubStore, PartialFile } from "./store.ts";

/** What a download puts away at once: the most of it that a closed page loses. */
const PIECE_BYTES = 8 * 1024 * 1024;
const CACHE_NAME = "heddle-hub";

/** Texts and contents by their names; a browser's Cache API, or memory. */
export interface BlobCache {
  get(name: string): Promise<Blob | undefined>;
  set(name: string, blob: Blob): Promise<void>;
  delete(name: string): Promise<void>;
}

/**
 * A page's cache. A file lies there in pieces, as an answer of the Cache API is put away whole or not at all: `NAME/0`, `NAME/1` … while it
 * comes, and once it is whole and checked `NAME`, which says how many they are. Where a page may have no cache, files stay in memory.
 */
export function browserStore(repository: string, { log }: Pick<HubSettings, "log">): HubStore {
  if (globalThis.caches) return blobStore(repository, cacheApi(globalThis.caches), "the page's cache");
  log(`[${repository}] this page has no Cache API, which browsers give to https:// and localhost alone: the model is downloaded on each visit`);
  return blobStore(repository, memoryCache(), "memory");
}

export function blobStore(repository: string, cache: BlobCache, place: string): HubStore {
  const nameOf = (file: HubFile) => `${repository}/blobs/${file.hash.hex}`;
  return {
    place,
    readText: async (name) => (await cache.get(`${repository}/${name}`))?.text(),
    writeText: (name, text) => put(cache, `${repository}/${name}`, new Blob([text])),
    async open(file) {
      const count = await (await cache.get(nameOf(file)))?.text();
      return count === undefined ? undefined : sourceOf(file, await piecesOf(cache, nameOf(file), Number(count)));
    },
    async claim(file, onWait, signal) {
      const name = nameOf(file);
      const leave = await (globalThis.navigator?.locks ? takeLock(name, onWait, signal) : takeTurn(name, () => onWait("this page"), signal));
      try {
        return await openPartial(cache, name, leave);
      } catch (error) {
        leave();
        throw error;
      }
    },
  };
}

function sourceOf(file: HubFile, pieces: readonly Blob[]): ByteSource | undefined {
  // Chromium and Firefox keep such blobs on the disk: nothing is copied until it is read.
  const blob = new Blob([...pieces]);
  return blob.size === file.sizeBytes ? blobSource(blob, file.path) : undefined;
}

/** All tabs of a site wait for one another. */
function takeLock(name: string, onWait: (who: string) => void, signal?: AbortSignal): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const hold = () => new Promise<void>((leave) => resolve(leave));
    const key = `${CACHE_NAME}/${name}`;
    navigator.locks
      .request(key, { ifAvailable: true }, (lock) => (lock ? hold() : "taken"))
      .then((answer) => {
        if (answer !== "taken") return;
        onWait("another tab");
        return navigator.locks.request(key, { ...(signal && { signal }) }, hold);
      })
      .catch(reject);
  });
}

async function openPartial(cache: BlobCache, name: string, leave: () => void): Promise<PartialFile> {
  const pieces = await piecesOf(cache, name);
  let buffered: Uint8Array<ArrayBuffer>[] = [];
  let bufferedBytes = 0;
  let sizeBytes = pieces.reduce((sum, piece) => sum + piece.size, 0);
  const flush = async (): Promise<void> => {
    if (bufferedBytes === 0) return;
    const piece = new Blob(buffered);
    await put(cache, `${name}/${pieces.length}`, piece);
    // What the cache gives back lies on the disk, the piece in memory.
    pieces.push((await cache.get(`${name}/${pieces.length}`)) ?? piece);
    [buffered, bufferedBytes] = [[], 0];
  };
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    async requireRoom() {},
    async append(bytes) {
      buffered.push(Uint8Array.from(bytes));
      bufferedBytes += bytes.length;
      sizeBytes += bytes.length;
      if (bufferedBytes >= PIECE_BYTES) await flush();
    },
    readRange: async (begin, end) => new Uint8Array(await new Blob([...pieces, ...buffered]).slice(begin, end).arrayBuffer()),
    async clear() {
      for (let i = pieces.length - 1; i >= 0; i--) await cache.delete(`${name}/${i}`);
      pieces.length = 0;
      [buffered, bufferedBytes, sizeBytes] = [[], 0, 0];
    },
    async publish() {
      await flush();
      await put(cache, name, new Blob([String(pieces.length)]));
    },
    async release() {
      // A full cache keeps what it had.
      await flush().catch(() => undefined);
      leave();
    },
  };
}

/** The pieces that are there, up to the first that is not. */
async function piecesOf(cache: BlobCache, name: string, most = Infinity): Promise<Blob[]> {
  const pieces: Blob[] = [];
  while (pieces.length < most) {
    const piece = await cache.get(`${name}/${pieces.length}`);
    if (!piece) break;
    pieces.push(piece);
  }
  return pieces;
}

async function put(cache: BlobCache, name: string, blob: Blob): Promise<void> {
  try {
    await cache.set(name, blob);
  } catch (cause) {
    if (!(cause instanceof Error && cause.name === "QuotaExceededError")) throw cause;
    const estimate = await globalThis.navigator?.storage?.estimate?.().catch(() => undefined);
    const room = estimate?.quota === undefined ? "" : ` (${Math.round((estimate.usage ?? 0) / 1e6)} of ${Math.round(estimate.quota / 1e6)} MB are used)`;
    throw new HeddleError("DISK_FULL", `[${name}] the browser gives this site no more room${room}: delete the site's data that is not needed, or choose a smaller model; what is there stays, and the next load goes on there`, { cause });
  }
}

function cacheApi(storage: CacheStorage): BlobCache {
  // Names of the Cache API are addresses; this one leads nowhere.
  const address = (name: string) => `https://heddle.invalid/${name}`;
  const opened = storage.open(CACHE_NAME);
  return {
    get: async (name) => (await (await opened).match(address(name)))?.blob(),
    set: async (name, blob) => (await opened).put(address(name), new Response(blob)),
    delete: async (name) => void (await (await opened).delete(address(name))),
  };
}

function memoryCache(): BlobCache {
  const blobs = new Map<string, Blob>();
  return {
    get: async (name) => blobs.get(name),
    set: async (name, blob) => void blobs.set(name, blob),
    delete: async (name) => void blobs.delete(name),
  };
}
