import { HeddleError } from "@heddle/kernels";
import { isNode } from "../source/node.ts";
import type { HubSettings } from "./options.ts";

/** Most time for an answer to begin, and between two pieces of one. */
export const STALL_MS = 30_000;

const FAILED = { download: "DOWNLOAD_FAILED", upload: "UPLOAD_FAILED" } as const;
export type Purpose = "download" | "upload";

/**
 * A `fetch` that sends the token to the endpoint and nowhere else, and answers with success or throws: HUB_ACCESS_DENIED, HUB_NOT_FOUND,
 * ABORTED; DOWNLOAD_FAILED or UPLOAD_FAILED for whatever may be well the next time.
 */
export function hubFetch(repository: string, settings: HubSettings, purpose: Purpose = "download"): typeof fetch {
  const { endpoint, token, signal } = settings;
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = new Headers(init?.headers);
    // Redirects to other hosts lose it by the rules of fetch.
    if (token !== undefined && new URL(url).origin === new URL(endpoint).origin) headers.set("Authorization", `Bearer ${token}`);
    const timeout = new AbortController();
    // The answer to an upload comes when all was sent.
    const timer = purpose === "upload" ? undefined : setTimeout(() => timeout.abort(new Error(`no answer within ${STALL_MS / 1000} s`)), STALL_MS);
    let response: Response;
    try {
      response = await settings.fetch(url, { ...init, headers, signal: AbortSignal.any([timeout.signal, ...[signal, init?.signal].filter((one) => one != null)]) });
    } catch (cause) {
      throw requestError(repository, settings, cause, purpose);
    } finally {
      clearTimeout(timer);
    }
    if (response.ok) return response;
    await response.body?.cancel();
    throw refusal(repository, settings, response, purpose);
  };
}

/** What broke off a request: the caller's signal, or the network. */
export function requestError(repository: string, { endpoint, signal }: Pick<HubSettings, "endpoint" | "signal">, cause: unknown, purpose: Purpose = "download"): HeddleError {
  if (HeddleError.isInstance(cause)) return cause;
  if (signal?.aborted) return new HeddleError("ABORTED", `[${repository}] the ${purpose} was stopped`, { cause: signal.reason });
  const why = cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause);
  return new HeddleError(FAILED[purpose], `[${repository}] ${endpoint} could not be reached (${why}): check the network, and the endpoint where you set one`, { cause });
}

function refusal(repository: string, { endpoint, token, revision }: HubSettings, { status, headers }: Response, purpose: Purpose): HeddleError {
  const code = headers.get("X-Error-Code");
  const page = `${endpoint}/${repository}`;
  const giveToken = isNode() ? "pass { token }, or set HF_TOKEN" : "pass { token }";
  if (code === "GatedRepo") {
    const fix = token === undefined ? `and ${giveToken}, one of the account that accepted them` : "with the account whose token you gave";
    return new HeddleError("HUB_ACCESS_DENIED", `[${repository}] is gated (HTTP ${status}): accept its terms on ${page} ${fix}`);
  }
  if (code === "RevisionNotFound") return new HeddleError("HUB_NOT_FOUND", `[${repository}] has no revision ${JSON.stringify(revision)}: see ${page}/tree/main for its branches and tags`);
  if (status === 403 && purpose === "upload") return new HeddleError("HUB_ACCESS_DENIED", `[${repository}] may not be written with the given token (HTTP 403): make one with the right to write, by a member of ${repository.split("/")[0]}, on the hub's page of tokens`);
  if (status === 403) {
    return new HeddleError("HUB_ACCESS_DENIED", `[${repository}] may not be read with ${token === undefined ? `no token (HTTP 403): ${giveToken}` : "the given token (HTTP 403): give it the right to read this repository on the hub's page of tokens, or take another"}`);
  }
  // The Hub says 401 of names that do not exist too, lest anyone find out which private ones do.
  if (status === 401 && token !== undefined) return new HeddleError("HUB_ACCESS_DENIED", `[${repository}] the hub does not know the given token (HTTP 401): it may have expired; make another on the hub's page of tokens`);
  if (status === 401 || status === 404) {
    const folder = isNode() ? `; and no such folder exists in ${process.cwd()}` : "";
    return new HeddleError("HUB_NOT_FOUND", `[${repository}] is no model that ${endpoint} shows ${token === undefined ? "to everyone" : "to the given token"} (HTTP ${status})${folder}: check its name; for a private one ${giveToken}`);
  }
  const wait = status === 429 ? "too many requests: wait some minutes" : "the hub has a problem: try again later";
  return new HeddleError(FAILED[purpose], `[${repository}] ${endpoint} answered HTTP ${status}, ${wait}`);
}
