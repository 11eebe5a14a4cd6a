import { HeddleError } from "@heddle/kernels";
import { checkRange, memorySource, type ByteSource } from "./byte-source.ts";

/** Small tensors lie side by side: one request brings at least this much, so that a bias costs no round trip of its own. */
const READ_AHEAD_BYTES = 8 * 1024 * 1024;

/**
 * A file behind HTTP. Uses range requests where the server offers them, so that host memory holds one tensor (or
 * 8 MiB); otherwise the whole file is downloaded at once. Returns undefined for 404.
 */
export async function openHttpSource(url: string, fetchFile: typeof fetch, signal?: AbortSignal): Promise<ByteSource | undefined> {
  const response = await request(url, fetchFile, { headers: { Range: "bytes=0-7" }, signal });
  if (response.status === 404) {
    await response.body?.cancel();
    return undefined;
  }
  const total = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
  if (response.status !== 206 || total === undefined) {
    return memorySource(await body(url, response), url);
  }
  await response.body?.cancel();
  return rangeSource(url, Number(total), fetchFile, signal);
}

function rangeSource(url: string, sizeBytes: number, fetchFile: typeof fetch, signal?: AbortSignal): ByteSource {
  let window = { begin: 0, bytes: new Uint8Array(0) };
  return {
    label: url,
    sizeBytes,
    async readRange(begin, end) {
      checkRange(url, begin, end, sizeBytes);
      const isInWindow = begin >= window.begin && end <= window.begin + window.bytes.length;
      if (!isInWindow) {
        const last = Math.min(sizeBytes, Math.max(end, begin + READ_AHEAD_BYTES));
        if (begin === last) return new Uint8Array(0);
        window = { begin, bytes: new Uint8Array(0) }; // freed before the next one is allocated
        const response = await request(url, fetchFile, { headers: { Range: `bytes=${begin}-${last - 1}` }, signal });
        window = { begin, bytes: await body(url, response) };
        if (response.status !== 206 || window.bytes.length !== last - begin) {
          throw new HeddleError("DOWNLOAD_FAILED", `[${url}] asked for ${last - begin} bytes, got ${window.bytes.length} (HTTP ${response.status}): the file changed or a proxy interferes; load it again`);
        }
      }
      return window.bytes.slice(begin - window.begin, end - window.begin);
    },
    async close() {
      window = { begin: 0, bytes: new Uint8Array(0) };
    },
  };
}

/** The text of a file behind HTTP; undefined for 404. */
export async function fetchText(url: string, fetchFile: typeof fetch, signal?: AbortSignal): Promise<string | undefined> {
  const response = await request(url, fetchFile, { signal });
  if (response.status === 404) {
    await response.body?.cancel();
    return undefined;
  }
  return new TextDecoder().decode(await body(url, response));
}

async function request(url: string, fetchFile: typeof fetch, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetchFile(url, init);
  } catch (cause) {
    if (init.signal?.aborted) throw new HeddleError("ABORTED", `[${url}] the download was stopped`, { cause });
    throw new HeddleError("DOWNLOAD_FAILED", `[${url}] could not be reached: check the address, the network and, in a browser, that the server sends CORS headers`, { cause });
  }
  if (!response.ok && response.status !== 404) {
    await response.body?.cancel();
    throw new HeddleError("DOWNLOAD_FAILED", `[${url}] answered HTTP ${response.status}: check the address and that it needs no sign-in`);
  }
  return response;
}

async function body(url: string, response: Response): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new HeddleError("DOWNLOAD_FAILED", `[${url}] broke off during the download: load it again`, { cause });
  }
}
