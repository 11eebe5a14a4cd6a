import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import type { HubSettings } from "./options.ts";
import { requestError } from "./request.ts";
import type { HubFile, HubStore } from "./store/store.ts";

/** A repository's files at one commit. */
export interface Snapshot {
  readonly commit: string;
  readonly files: ReadonlyMap<string, HubFile>;
}

const COMMIT = /^[0-9a-f]{40}$/;

const commitSchema = z.object({ sha: z.string().regex(COMMIT) });

const size = z.int().nonnegative();
const treeSchema = z.array(
  z.object({
    type: z.string(),
    // A plain relative path: it becomes part of an address.
    path: z.string().regex(/^(?![/.])(?!.*(?:^|\/)\.\.?(?:\/|$))[^\\\0]+$/),
    size,
    oid: z.string().regex(COMMIT).optional(),
    lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size }).optional(),
  }),
);
type Tree = z.infer<typeof treeSchema>;

/**
 * What a revision is now. A commit's list of files never changes, so it is asked for once; of a branch only which commit it is. Where the
 * hub cannot be reached, the branch is what it was the last time, and `log` hears of it.
 *
 * Errors: those of `hubFetch`; NOT_CACHED.
 */
export async function resolveSnapshot(repository: string, settings: HubSettings, request: typeof fetch, store: HubStore): Promise<Snapshot> {
  const { revision, localFilesOnly, log } = settings;
  const known = await cachedSnapshot(store, revision);
  if (known && (localFilesOnly || COMMIT.test(revision))) return known;
  if (localFilesOnly) {
    throw new HeddleError("NOT_CACHED", `[${repository}] revision ${JSON.stringify(revision)} is not in ${store.place}, and localFilesOnly (or HF_HUB_OFFLINE) forbids to download it: load it once without`);
  }
  try {
    return await askHub(repository, settings, request, store);
  } catch (error) {
    const isUnreachable = HeddleError.isInstance(error) && error.code === "DOWNLOAD_FAILED";
    if (!known || !isUnreachable) throw error;
    log(`${error.message}; going on with commit ${known.commit.slice(0, 12)} from the cache`);
    return known;
  }
}

async function askHub(repository: string, settings: HubSettings, request: typeof fetch, store: HubStore): Promise<Snapshot> {
  const { endpoint, revision } = settings;
  const api = `${endpoint}/api/models/${repository}`;
  const ask = async <T>(url: string, schema: z.ZodType<T>): Promise<{ value: T; next: string | undefined }> => {
    const response = await request(url, { headers: { Accept: "application/json" } });
    try {
      const value = schema.parse(await response.json());
      // A long list comes in pages (RFC 8288).
      return { value, next: /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("Link") ?? "")?.[1] };
    } catch (cause) {
      if (!(cause instanceof z.ZodError || cause instanceof SyntaxError)) throw requestError(repository, settings, cause);
      throw new HeddleError("DOWNLOAD_FAILED", `[${repository}] ${endpoint} answered, but not as a hub does: check the endpoint, and whether the network wants a sign-in first`, { cause });
    }
  };
  const { sha } = (await ask(`${api}/revision/${encodeURIComponent(revision)}`, commitSchema)).value;
  let tree = await cachedTree(store, sha);
  if (!tree) {
    tree = [];
    for (let url: string | undefined = `${api}/tree/${sha}?recursive=true`; url !== undefined; ) {
      const page: { value: Tree; next: string | undefined } = await ask(url, treeSchema);
      tree.push(...page.value);
      url = page.next;
    }
    await store.writeText(`trees/${sha}.json`, JSON.stringify(tree));
  }
  if (revision !== sha) await store.writeText(`refs/${revision}`, sha);
  return snapshotOf(sha, tree);
}

async function cachedSnapshot(store: HubStore, revision: string): Promise<Snapshot | undefined> {
  const commit = COMMIT.test(revision) ? revision : (await store.readText(`refs/${revision}`))?.trim();
  if (commit === undefined || !COMMIT.test(commit)) return undefined;
  const tree = await cachedTree(store, commit);
  return tree && snapshotOf(commit, tree);
}

/** Undefined also for one that something damaged. */
async function cachedTree(store: HubStore, commit: string): Promise<Tree | undefined> {
  const text = await store.readText(`trees/${commit}.json`);
  if (text === undefined) return undefined;
  try {
    return treeSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function snapshotOf(commit: string, tree: Tree): Snapshot {
  const files = new Map<string, HubFile>();
  for (const { type, path, size: sizeBytes, oid, lfs } of tree) {
    if (type !== "file") continue;
    if (lfs) files.set(path, { path, sizeBytes: lfs.size, hash: { algorithm: "sha256", hex: lfs.oid } });
    else if (oid !== undefined) files.set(path, { path, sizeBytes, hash: { algorithm: "git-sha1", hex: oid } });
  }
  return { commit, files };
}
