import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a server does wrong, until it did so as often as asked; then comes the next. */
export interface Fault {
  /** How the path of what it befalls ends. */
  readonly path: string;
  readonly times: number;
  /** Breaks the connection after so many bytes of the answer. */
  readonly dropAfter?: number;
  /** Goes silent after so many. */
  readonly hangAfter?: number;
  /** Ends the answer after so many, as if it were whole. */
  readonly cutAfter?: number;
  readonly corrupt?: true;
  readonly ignoreRanges?: true;
  readonly status?: number;
  readonly errorCode?: string;
}

export interface SeenRequest {
  readonly server: "hub" | "cdn";
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

interface Commit {
  readonly sha: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Files from this size on are kept as git LFS does: addressed by SHA-256, and sent by another host. */
const LFS_BYTES = 1000;

/** Plays the Hugging Face Hub and its CDN over HTTP: the routes, redirects and headers that downloading needs. */
export class FakeHub {
  readonly seen: SeenRequest[] = [];
  readonly faults: (Fault & { done?: number })[] = [];
  /** What private and gated repositories want to see. */
  readonly token = "hf_right";
  private readonly revisions = new Map<string, Map<string, Commit>>();
  private readonly uploads = new Map<string, Uint8Array>();
  private readonly access = new Map<string, "private" | "gated">();

  private constructor(
    private readonly hub: Server,
    private readonly cdn: Server,
  ) {
    hub.on("request", (request, response) => this.answerHub(request, response));
    cdn.on("request", (request, response) => this.answerCdn(request, response));
  }

  static async start(): Promise<FakeHub> {
    const servers = [createServer(), createServer()] as const;
    for (const server of servers) await once(server.listen(0, "127.0.0.1"), "listening");
    return new FakeHub(...servers);
  }

  get endpoint(): string {
    return addressOf(this.hub);
  }

  /** Makes a commit, and `revision` the name of it. Gives the commit. */
  push(repository: string, files: Readonly<Record<string, string | Uint8Array>>, { revision = "main", access }: { revision?: string; access?: "private" | "gated" } = {}): string {
    const contents = new Map(Object.entries(files).map(([name, content]) => [name, typeof content === "string" ? new TextEncoder().encode(content) : content]));
    const sha = createHash("sha1").update(JSON.stringify([repository, revision, [...contents].map(([name, content]) => [name, gitSha1(content)])])).digest("hex");
    const known = this.revisions.get(repository) ?? new Map<string, Commit>();
    for (const name of [revision, sha]) known.set(name, { sha, files: contents });
    this.revisions.set(repository, known);
    if (access) this.access.set(repository, access);
    return sha;
  }

  /** How often files were asked for, by their paths in the repository. */
  downloads(): string[] {
    return this.seen.flatMap(({ server, path }) => (server === "hub" ? (/\/resolve\/[^/]+\/(.+)$/.exec(path)?.[1] ?? []) : []));
  }

  async close(): Promise<void> {
    for (const server of [this.hub, this.cdn]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  private answerHub(request: IncomingMessage, response: ServerResponse): void {
    const url = this.note("hub", request);
    if (request.method === "POST") return void this.answerUpload(url, request, response);
    const known = /^\/api\/models\/([^/]+\/[^/]+)$/.exec(url);
    if (known) return this.revisions.has(known[1]!) ? sendJson(response, { id: known[1] }) : refuse(response, 404, "RepoNotFound");
    const [, repository, kind, revision, path] = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)()$/.exec(url) ?? /^\/([^/]+\/[^/]+)\/(resolve)\/([^/]+)\/(.+)$/.exec(url) ?? [];
    const fault = this.fault(url, (one) => one.status !== undefined);
    if (fault) return refuse(response, fault.status!, fault.errorCode);
    const commits = this.revisions.get(repository!);
    const access = this.access.get(repository!);
    if (!commits || (access && request.headers.authorization !== `Bearer ${this.token}`)) {
      if (access === "gated" && kind === "resolve") return refuse(response, 401, "GatedRepo");
      if (access !== "gated") return refuse(response, 401, "RepoNotFound");
    }
    const commit = commits!.get(decodeURIComponent(revision!));
    if (!commit) return refuse(response, 404, "RevisionNotFound");
    if (kind === "revision") return sendJson(response, { _id: "1", id: repository, private: false, gated: false, downloads: 0, likes: 0, lastModified: "2026-01-01T00:00:00.000Z", sha: commit.sha });
    if (kind === "tree") {
      const [first, ...rest] = [...commit.files].map(([name, content]) => entryOf(name, content));
      const isSecond = request.url!.includes("cursor=");
      if (!isSecond) response.setHeader("Link", `<${this.endpoint}${url}?recursive=true&cursor=x>; rel="next"`);
      return sendJson(response, isSecond ? rest : [{ type: "directory", path: "onnx", size: 0, oid: "0".repeat(40) }, first]);
    }
    const content = commit.files.get(decodeURIComponent(path!));
    if (!content) return refuse(response, 404, "EntryNotFound");
    response.setHeader("X-Repo-Commit", commit.sha);
    if (content.length < LFS_BYTES) {
      response.setHeader("ETag", `"${gitSha1(content)}"`);
      return this.send(url, content, request, response);
    }
    const oid = sha256(content);
    response.writeHead(302, { Location: `${addressOf(this.cdn)}/${repository}/${oid}`, "X-Linked-Etag": `"${oid}"`, "X-Linked-Size": content.length }).end();
  }

  private answerCdn(request: IncomingMessage, response: ServerResponse): void {
    const url = this.note("cdn", request);
    if (request.method === "PUT") return void read(request).then((content) => this.uploads.set(sha256(content), content) && response.end());
    // As object stores do with a header beside a signed address.
    if (request.headers.authorization !== undefined) return refuse(response, 400);
    const [, repository, oid] = /^\/([^/]+\/[^/]+)\/([0-9a-f]+)$/.exec(url)!;
    for (const { files } of this.revisions.get(repository!)!.values()) {
      for (const [name, content] of files) {
        if (sha256(content) === oid) return this.send(name, content, request, response);
      }
    }
    refuse(response, 404);
  }

  /** What the library's commits ask: a new repository, which files go to LFS, where to, and the commit itself. */
  private async answerUpload(url: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await read(request)).toString();
    if (request.headers.authorization !== `Bearer ${this.token}`) return refuse(response, 403);
    const [, repository, kind, branch] = /^\/api\/models\/([^/]+\/[^/]+)\/(preupload|commit|branch)\/([^/]+)$/.exec(url) ?? [];
    if (url === "/api/repos/create") {
      const { organization, name, visibility } = JSON.parse(body) as { organization: string; name: string; visibility?: string };
      this.push(`${organization}/${name}`, {}, visibility === "private" ? { access: "private" } : {});
      return sendJson(response, { url: `${this.endpoint}/${organization}/${name}`, id: "1" });
    }
    if (kind === "branch") return sendJson(response, {});
    if (kind === "preupload") {
      const { files } = JSON.parse(body) as { files: { path: string; size: number }[] };
      return sendJson(response, { files: files.map(({ path, size }) => ({ path, uploadMode: size < LFS_BYTES ? "regular" : "lfs" })) });
    }
    if (kind === undefined) {
      const { objects } = JSON.parse(body) as { objects: { oid: string; size: number }[] };
      return sendJson(response, { transfer: "basic", objects: objects.map((one) => ({ ...one, actions: { upload: { href: `${addressOf(this.cdn)}/upload/${one.oid}`, header: {} } } })) });
    }
    const lines = body.split("\n").map((line) => JSON.parse(line) as { key: string; value: { path: string; content: string; oid: string } });
    const files = lines.flatMap(({ key, value }) => (key === "header" ? [] : [[value.path, key === "lfsFile" ? this.uploads.get(value.oid)! : Buffer.from(value.content, "base64")] as const]));
    const sha = this.push(repository!, Object.fromEntries(files), { revision: decodeURIComponent(branch!) });
    sendJson(response, { commitOid: sha, commitUrl: `${this.endpoint}/${repository}/commit/${sha}`, hookOutput: "" });
  }

  private note(server: "hub" | "cdn", { url = "", method = "", headers }: IncomingMessage): string {
    const path = url.split("?")[0]!;
    this.seen.push({ server, method, path, range: headers.range, authorization: headers.authorization });
    return path;
  }

  private fault(path: string, fits: (fault: Fault) => boolean): Fault | undefined {
    const next = this.faults.find((one) => (one.done ?? 0) < one.times && path.endsWith(one.path));
    if (!next || !fits(next)) return undefined;
    next.done = (next.done ?? 0) + 1;
    return next;
  }

  private send(path: string, content: Uint8Array, { headers }: IncomingMessage, response: ServerResponse): void {
    const fault = this.fault(path, (one) => one.status === undefined);
    const range = fault?.ignoreRanges ? null : /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "");
    const [begin, end] = range ? [Number(range[1]), range[2] ? Math.min(content.length, Number(range[2]) + 1) : content.length] : [0, content.length];
    const body = Buffer.from(content.slice(begin, end));
    if (fault?.corrupt) body[body.length - 1]! ^= 1;
    const sent = fault?.dropAfter ?? fault?.hangAfter ?? fault?.cutAfter ?? body.length;
    response.writeHead(range ? 206 : 200, {
      "Content-Length": fault?.cutAfter === undefined ? body.length : Math.min(sent, body.length),
      ...(range && { "Content-Range": `bytes ${begin}-${end - 1}/${content.length}` }),
    });
    if (sent >= body.length) return void response.end(body);
    if (fault?.cutAfter !== undefined) return void response.end(body.subarray(0, sent));
    response.write(body.subarray(0, sent), () => fault?.dropAfter !== undefined && response.destroy());
  }
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function entryOf(path: string, content: Uint8Array): object {
  const entry = { type: "file", path, size: content.length, oid: gitSha1(content) };
  return content.length < LFS_BYTES ? entry : { ...entry, lfs: { oid: sha256(content), size: content.length, pointerSize: 133 } };
}

const sha256 = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");
const gitSha1 = (content: Uint8Array) => createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
const addressOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code?: string): void {
  response.writeHead(status, { "Content-Type": "application/json", ...(code && { "X-Error-Code": code }) }).end(JSON.stringify({ error: "no" }));
}
