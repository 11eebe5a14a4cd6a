import { HeddleError } from "@heddle/kernels";
import type * as Hub from "@huggingface/hub";
import { writeModelFolder, type ModelFolderContents } from "../folder/write.ts";
import { nodeModules } from "../source/node.ts";
import { parseHubId } from "./id.ts";
import { hubSettings, type HubAccess } from "./options.ts";
import { hubFetch, requestError } from "./request.ts";

export interface PushOptions extends Pick<HubAccess, "token" | "endpoint" | "fetch"> {
  /** The branch to write to, made where there is none. Default "main". */
  readonly revision?: string;
  /** Whether a repository that has to be made is private. Default: what the owner's account says, mostly public. */
  readonly private?: boolean;
  readonly commitTitle?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: UploadProgress) => void;
}

/** How far the upload of a file is. */
export interface UploadProgress {
  readonly type: "upload";
  readonly file: string;
  readonly sentBytes: number;
  readonly totalBytes: number;
}

export interface PushedCommit {
  readonly commit: string;
  /** For people. */
  readonly url: string;
}

/**
 * Writes a model folder to a repository of the Hugging Face Hub, as one commit: all of it or nothing. What else the repository has stays.
 * The files lie in the system's temporary folder meanwhile. Node only.
 *
 * Errors: INVALID_ARGUMENT, HUB_ACCESS_DENIED, UPLOAD_FAILED, ABORTED, and those of `writeModelFolder`.
 */
export async function pushModelFolder(repository: string, contents: ModelFolderContents, { private: isPrivate, commitTitle = "Upload model", signal, onProgress, ...access }: PushOptions = {}): Promise<PushedCommit> {
  const { fs, os, path } = nodeModules("pushToHub");
  if (parseHubId(repository)?.repository !== repository) throw new HeddleError("INVALID_ARGUMENT", `[pushToHub] ${JSON.stringify(repository)} is no name of a repository: give org/name`);
  const settings = hubSettings({ ...access, ...(signal && { signal }) });
  if (settings.token === undefined) throw new HeddleError("HUB_ACCESS_DENIED", `[${repository}] cannot be written without a token: pass { token } or set HF_TOKEN, one with the right to write`);
  const hub = await loadLibrary();
  const request = hubFetch(repository, settings, "upload");
  const target = { repo: { type: "model", name: repository }, hubUrl: settings.endpoint, fetch: request } as const;
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), "heddle-push-"));
  try {
    await makeRepository(hub, target, isPrivate);
    if (settings.revision !== "main") await hub.createBranch({ ...target, branch: settings.revision, overwrite: true });
    await writeModelFolder(folder, contents, { ...(signal && { signal }) });
    const operations = await Promise.all((await fs.readdir(folder)).map(async (name) => ({ operation: "addOrUpdate" as const, path: name, content: await process.getBuiltinModule("node:fs").openAsBlob(path.join(folder, name)) })));
    const sizes = new Map(operations.map(({ path: name, content }) => [name, content.size]));
    const steps = hub.commitIter({ ...target, branch: settings.revision, title: commitTitle, operations, ...(signal && { abortSignal: signal }) });
    for (;;) {
      const { done, value } = await steps.next();
      if (done) return { commit: value!.commit.oid, url: value!.commit.url };
      if (value.event !== "fileProgress" || value.state !== "uploading") continue;
      const totalBytes = sizes.get(value.path)!;
      onProgress?.({ type: "upload", file: value.path, sentBytes: Math.round(value.progress * totalBytes), totalBytes });
    }
  } catch (cause) {
    throw requestError(repository, settings, cause, "upload");
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

async function makeRepository(hub: typeof Hub, target: { readonly repo: { readonly type: "model"; readonly name: string }; readonly hubUrl: string; readonly fetch: typeof fetch }, isPrivate: boolean | undefined): Promise<void> {
  try {
    await target.fetch(`${target.hubUrl}/api/models/${target.repo.name}`);
  } catch (error) {
    if (!HeddleError.isInstance(error) || error.code !== "HUB_NOT_FOUND") throw error;
    // The token goes with `fetch`: the library takes none that does not begin with "hf_".
    await hub.createRepo({ ...target, ...(isPrivate !== undefined && { visibility: isPrivate ? "private" : "public" }) } as Parameters<typeof hub.createRepo>[0]);
  }
}

async function loadLibrary(): Promise<typeof Hub> {
  // A variable, so that bundlers for browsers leave out what imports Node's modules.
  const name = "@huggingface/hub";
  return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as typeof Hub;
}
