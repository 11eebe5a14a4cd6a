import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import * as nodeFs from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeHub, type Fault } from "../../testing/hub.ts";
import { openModelFolder } from "../folder/open.ts";
import { encodeSafetensors } from "../safetensors/writer.ts";
import { downloadFile, type HubContext } from "./download.ts";
import { openRepository } from "./files.ts";
import { parseHubId } from "./id.ts";
import type { DownloadProgress, HubOptions } from "./options.ts";
import { blobStore } from "./store/browser-store.ts";
import { folderStore } from "./store/folder-store.ts";
import type { HubFile } from "./store/store.ts";

const WEIGHTS = "model.safetensors";
const CONFIG = '{"model_type":"bert"}';

let hub: FakeHub;
let cacheFolder: string;
beforeAll(async () => void (hub = await FakeHub.start()));
afterAll(() => hub.close());
beforeEach(() => {
  cacheFolder = mkdtempSync(join(tmpdir(), "heddle-hub-"));
  hub.seen.length = hub.faults.length = 0;
});
afterEach(() => {
  rmSync(cacheFolder, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

/** 800 kB of one tensor, by a seed. */
async function weightsOf(seed: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeSafetensors([{ name: "w", dtype: "F32", shape: [200_000], data: Float32Array.from({ length: 200_000 }, (_, i) => (i * seed) % 97) }])) pieces.push(piece);
  return new Uint8Array(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}
const weights = await weightsOf(1);
const zeros = await weightsOf(0);
const model = { "config.json": CONFIG, "tokenizer.json": '{"version":"1.0"}', [WEIGHTS]: weights, "README.md": "# read me", "pytorch_model.bin": new Uint8Array(2000) };

const options = (more: HubOptions = {}): HubOptions => ({ endpoint: hub.endpoint, cacheFolder, log: (line) => expect.unreachable(line), ...more });
const fault = (what: Partial<Fault>) => void hub.faults.push({ path: WEIGHTS, times: 1, ...what });
const rangesOf = (server: "hub" | "cdn") => hub.seen.filter((request) => request.server === server).map(({ range }) => range);

/** The sum of the one tensor's values. */
async function load(id: string, more?: HubOptions): Promise<number> {
  await using folder = await openModelFolder(id, options(more));
  let sum = 0;
  for await (const { data } of (await folder.weights()).stream()) for (const value of data) sum += value;
  return sum;
}

async function fileOf(repository: string, more?: HubOptions): Promise<{ file: HubFile; context: HubContext; text: () => string }> {
  const { context, snapshot } = await openRepository(repository, options(more));
  const file = snapshot.files.get(WEIGHTS)!;
  return { file, context: { ...context, retryMs: 1 }, text: () => readFileSync(blobPath(repository, file)).toString("latin1") };
}

const blobPath = (repository: string, { hash }: HubFile) => join(cacheFolder, `models--${repository.replace("/", "--")}`, "blobs", hash.hex);
const sum = Array.from({ length: 200_000 }, (_, i) => i % 97).reduce((a, b) => a + b);

describe("ids", () => {
  it("are told from folders, addresses and files", () => {
    expect(parseHubId("org/na.me_1")).toEqual({ repository: "org/na.me_1", file: undefined });
    expect(parseHubId("org/name/q4/file.GGUF")).toEqual({ repository: "org/name", file: "q4/file.GGUF" });
    for (const text of ["./models/reviews", "/models/reviews", "../x/y", "bert", "org/name/sub", "org/x.gguf", "https://host/x", "C:\\models\\x", "~/x", "org/..", "org/a--b", "org/name/", "a b/c", "org/../x.gguf", `org/${"n".repeat(97)}`]) expect(parseHubId(text), text).toBeUndefined();
  });

  it("leave an existing folder alone", async () => {
    const here = process.cwd();
    process.chdir(cacheFolder);
    try {
      mkdirSync(join(cacheFolder, "org/name"), { recursive: true });
      writeFileSync(join(cacheFolder, "org/name/config.json"), "{}");
      await using folder = await openModelFolder("org/name", options());
      expect([folder.label, hub.seen]).toEqual(["org/name", []]);
    } finally {
      process.chdir(here);
    }
  });
});

describe("a model of the hub", () => {
  it("comes once, only the files that are needed, the token never to the CDN", async () => {
    hub.push("org/bert", model, { access: "private" });
    const progress: DownloadProgress[] = [];
    expect(await load("org/bert", { token: hub.token, onProgress: (one) => progress.push(one) })).toBe(sum);
    expect([...new Set(hub.downloads())].sort()).toEqual(["config.json", WEIGHTS, "tokenizer.json"]);
    expect(hub.seen.filter(({ server, authorization }) => server === "cdn" && authorization !== undefined)).toEqual([]);
    expect(progress.at(-1)).toEqual({ type: "download", file: WEIGHTS, receivedBytes: weights.length, totalBytes: weights.length });
    expect(readdirSync(join(cacheFolder, "models--org--bert"))).toEqual(["blobs", "refs", "trees"]);
    hub.seen.length = 0;
    expect(await load("org/bert", { token: hub.token })).toBe(sum);
    expect(hub.seen.map(({ path }) => path)).toEqual(["/api/models/org/bert/revision/main"]);
  });

  it("gives its headers before its weights, and no byte twice", async () => {
    hub.push("org/headers", model);
    await using folder = await openModelFolder("org/headers", options());
    const opened = await folder.weights();
    expect([opened.entry("w").shape, rangesOf("cdn")]).toEqual([[200_000], ["bytes=0-65535"]]);
    for await (const _ of opened.stream());
    expect(rangesOf("cdn")).toEqual(["bytes=0-65535", `bytes=65536-${weights.length - 1}`]);
  });

  it("has revisions: branches, tags and commits", async () => {
    const first = hub.push("org/revised", { ...model, [WEIGHTS]: zeros });
    hub.push("org/revised", { ...model, [WEIGHTS]: zeros }, { revision: "refs/pr/7" });
    hub.push("org/revised", model);
    expect([await load("org/revised", { revision: first }), await load("org/revised", { revision: "refs/pr/7" }), await load("org/revised")]).toEqual([0, 0, sum]);
    hub.seen.length = 0;
    expect([await load("org/revised", { revision: first }), hub.seen]).toEqual([0, []]);
    await expect(load("org/revised", { revision: "v9" })).rejects.toMatchObject({ code: "HUB_NOT_FOUND", message: expect.stringContaining('no revision "v9"') as string });
    await expect(load("org/revised", { revision: "../../x" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("says what to do where it may not be read", async () => {
    hub.push("org/gated", model, { access: "gated" });
    hub.push("org/secret", model, { access: "private" });
    await expect(load("org/gated")).rejects.toMatchObject({ code: "HUB_ACCESS_DENIED", message: expect.stringMatching(/accept its terms on http.*\/org\/gated and pass \{ token \}, or set HF_TOKEN/) as string });
    await expect(load("org/secret")).rejects.toMatchObject({ code: "HUB_NOT_FOUND", message: expect.stringMatching(/no model that .* shows to everyone.*no such folder.*for a private one/) as string });
    await expect(load("org/secret", { token: "hf_wrong" })).rejects.toMatchObject({ code: "HUB_ACCESS_DENIED", message: expect.stringContaining("may have expired") as string });
    await expect(load("org/nobody")).rejects.toMatchObject({ code: "HUB_NOT_FOUND" });
    vi.stubEnv("HF_TOKEN", hub.token);
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);
    vi.stubEnv("HEDDLE_CACHE", cacheFolder);
    await using folder = await openModelFolder("org/secret");
    expect([folder.label, existsSync(join(cacheFolder, "hub/models--org--secret"))]).toEqual(["org/secret", true]);
    fault({ path: "/revision/main", status: 403 });
    await expect(load("org/secret", { token: hub.token })).rejects.toMatchObject({ code: "HUB_ACCESS_DENIED", message: expect.stringContaining("give it the right to read") as string });
  });

  it("names the GGUF files of a repository without a configuration", async () => {
    hub.push("org/quantised", { "x-Q4.gguf": new Uint8Array(2000) });
    await expect(load("org/quantised")).rejects.toMatchObject({ code: "CONFIG_MISSING", message: expect.stringContaining("but x-Q4.gguf: name one of them") as string });
    await expect(load("org/quantised/y.gguf")).rejects.toMatchObject({ code: "HUB_NOT_FOUND", message: expect.stringContaining("x-Q4.gguf") as string });
    await expect(load("org/quantised/x-Q4.gguf")).rejects.toMatchObject({ code: "GGUF_INVALID" });
    hub.push("org/old", { "config.json": CONFIG, "pytorch_model.bin": new Uint8Array(2000) });
    await expect(load("org/old")).rejects.toMatchObject({ code: "WEIGHTS_MISSING", message: expect.stringContaining("save_pretrained") as string });
  });
});

describe("without a network", () => {
  const offline: HubOptions = { fetch: () => Promise.reject(new TypeError("fetch failed", { cause: new Error("getaddrinfo ENOTFOUND") })) };

  it("goes on from a filled cache, and says so", async () => {
    hub.push("org/offline", model);
    await expect(load("org/offline", offline)).rejects.toMatchObject({ code: "DOWNLOAD_FAILED", message: expect.stringContaining("ENOTFOUND") as string });
    await load("org/offline");
    const lines: string[] = [];
    expect(await load("org/offline", { ...offline, log: (line) => lines.push(line) })).toBe(sum);
    expect(lines).toEqual([expect.stringMatching(/could not be reached \(getaddrinfo ENOTFOUND\).*; going on with commit [0-9a-f]{12} from the cache/)]);
    fault({ path: "/revision/main", status: 503 });
    expect(await load("org/offline", { log: () => undefined })).toBe(sum);
  });

  it("is never asked for with localFilesOnly", async () => {
    const never: HubOptions = { localFilesOnly: true, fetch: () => expect.unreachable("asked the network") };
    hub.push("org/local", model);
    await expect(load("org/local", never)).rejects.toMatchObject({ code: "NOT_CACHED" });
    {
      await using folder = await openModelFolder("org/local", options());
      expect(folder.configText).toBe(CONFIG);
    }
    await expect(load("org/local", never)).rejects.toMatchObject({ code: "NOT_CACHED", message: expect.stringContaining(WEIGHTS) as string });
    await load("org/local");
    expect(await load("org/local", never)).toBe(sum);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await load("org/local", { fetch: never.fetch! })).toBe(sum);
  });
});

describe("downloads", () => {
  beforeEach(() => void hub.push("org/big", model));

  it("go on where the connection broke", async () => {
    for (const dropAfter of [100_000, 0, 300_000]) fault({ dropAfter });
    fault({ cutAfter: 50_000 });
    const { file, context, text } = await fileOf("org/big");
    await downloadFile(file, context);
    expect(text()).toBe(Buffer.from(weights).toString("latin1"));
    const begins = rangesOf("cdn").map((range) => Number(/\d+/.exec(range!)![0]));
    expect(begins).toHaveLength(5);
    expect(begins).toEqual(begins.toSorted((a, b) => a - b));
  });

  it("give up where nothing comes, and keep what came", async () => {
    fault({ dropAfter: 300_000 });
    fault({ status: 503, times: 4 });
    const { file, context } = await fileOf("org/big");
    await expect(downloadFile(file, context)).rejects.toMatchObject({ code: "DOWNLOAD_FAILED", message: expect.stringMatching(/HTTP 503.* of the 800,\d+ bytes of model.safetensors are kept: load again/) as string });
    hub.seen.length = 0;
    await downloadFile(file, context);
    expect(rangesOf("cdn")).not.toContain(`bytes=0-${weights.length - 1}`);
  });

  it("begin anew on a server without ranges", async () => {
    fault({ dropAfter: 100_000 });
    fault({ ignoreRanges: true });
    const { file, context, text } = await fileOf("org/big");
    await downloadFile(file, context);
    expect(text()).toBe(Buffer.from(weights).toString("latin1"));
  });

  it("with wrong contents are tried once more, then refused, and nothing of them is kept", async () => {
    const { file, context, text } = await fileOf("org/big");
    fault({ corrupt: true, times: 2 });
    await expect(downloadFile(file, context)).rejects.toMatchObject({ code: "DOWNLOAD_CORRUPT", message: expect.stringContaining(file.hash.hex) as string });
    expect(readdirSync(join(cacheFolder, "models--org--big/blobs"))).toEqual([]);
    fault({ corrupt: true });
    await downloadFile(file, context);
    expect(text()).toBe(Buffer.from(weights).toString("latin1"));
    fault({ path: "config.json", corrupt: true, times: 2 });
    await expect(openModelFolder("org/big", options())).rejects.toMatchObject({ code: "DOWNLOAD_CORRUPT", message: expect.stringContaining("git-sha1") as string });
  });

  it("stop at the signal, and go on later", async () => {
    fault({ hangAfter: 200_000 });
    const controller = new AbortController();
    const onProgress = ({ receivedBytes }: DownloadProgress) => receivedBytes >= 200_000 && controller.abort();
    const { file, context } = await fileOf("org/big", { signal: controller.signal, onProgress });
    await expect(downloadFile(file, context)).rejects.toMatchObject({ code: "ABORTED", message: expect.stringContaining("200,000 of the 800,") as string });
    hub.seen.length = 0;
    const again = await fileOf("org/big");
    await downloadFile(again.file, again.context);
    expect(rangesOf("cdn")).toEqual([`bytes=200000-${weights.length - 1}`]);
  });

  it("survive a full disk", async () => {
    const { file, context } = await fileOf("org/big");
    let room = 300_000;
    const open: typeof nodeFs.open = async (...args) => {
      const handle = await nodeFs.open(...args);
      const write = handle.write.bind(handle) as (...all: unknown[]) => Promise<{ bytesWritten: number }>;
      return Object.assign(handle, {
        async write(bytes: Uint8Array, offset: number, length: number) {
          if (room === 0) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
          const { bytesWritten } = await write(bytes, offset, Math.min(room, length));
          room -= bytesWritten;
          return { bytesWritten };
        },
      }) as nodeFs.FileHandle;
    };
    const full = folderStore(cacheFolder, "org/big", { ...nodeFs, open });
    await expect(downloadFile(file, { ...context, store: full })).rejects.toMatchObject({ code: "DISK_FULL", message: expect.stringMatching(/free some space.*HEDDLE_CACHE/) as string });
    hub.seen.length = 0;
    await downloadFile(file, context);
    expect(rangesOf("cdn")).toEqual([`bytes=300000-${weights.length - 1}`]);
    const statfs = (async () => ({ bavail: 1, bsize: 4096 })) as unknown as typeof nodeFs.statfs;
    const small = folderStore(join(cacheFolder, "small"), "org/big", { ...nodeFs, statfs });
    hub.seen.length = 0;
    await expect(downloadFile(file, { ...context, store: small })).rejects.toMatchObject({ code: "DISK_FULL", message: expect.stringContaining("needs 1 MB more, its disk has 1 MB") as string });
    expect(hub.seen).toEqual([]);
  });

  it("of one file at once are one download", async () => {
    const loads = [load("org/big", { log: () => undefined }), load("org/big", { log: () => undefined }), load("org/big", { log: () => undefined })];
    expect(await Promise.all(loads)).toEqual([sum, sum, sum]);
    expect(rangesOf("cdn")).toEqual(["bytes=0-65535", `bytes=65536-${weights.length - 1}`]);
  });

  it("of a killed process are gone on with, and another process waits for a live one", async () => {
    const { file } = await fileOf("org/big");
    const child = await downloading(file, 265_536);
    const lines: string[] = [];
    const waiting = load("org/big", { log: (line) => lines.push(line) });
    await vi.waitFor(() => expect(lines).toEqual([expect.stringContaining(`being downloaded by process ${child.pid}`)]), 5000);
    child.kill("SIGKILL");
    expect(await waiting).toBe(sum);
    expect(rangesOf("cdn")).toEqual([`bytes=265536-${weights.length - 1}`]);
  });
});

/** Another process in the middle of a download: what it has on the disk is what ours would have there. */
async function downloading(file: HubFile, receivedBytes: number): Promise<ChildProcess> {
  const folder = `${blobPath("org/big", file)}.partial`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "bytes"), weights.subarray(0, receivedBytes));
  const script = join(cacheFolder, "child.cjs");
  const lock = `JSON.stringify({ pid: process.pid, host: ${JSON.stringify(hostname())}, processStart: null })`;
  writeFileSync(script, `require("node:fs").writeFileSync(${JSON.stringify(join(folder, ".heddle.lock"))}, ${lock}); setInterval(() => {}, 1000); process.send("up");`);
  const child = fork(script, { stdio: "ignore" });
  await once(child, "message");
  return child;
}

describe("a page's cache", () => {
  it("keeps pieces, goes on with them, and reads ranges", async () => {
    hub.push("org/page", model);
    const blobs = new Map<string, Blob>();
    const cache = {
      get: async (name: string) => blobs.get(name),
      set: async (name: string, blob: Blob) => void blobs.set(name, blob),
      delete: async (name: string) => void blobs.delete(name),
    };
    const { file, context } = await fileOf("org/page");
    const page = { ...context, store: blobStore("org/page", cache, "a page") };
    fault({ dropAfter: 100_000 });
    fault({ status: 503, times: 4 });
    await expect(downloadFile(file, page)).rejects.toMatchObject({ code: "DOWNLOAD_FAILED" });
    expect([...blobs.values()].reduce((total, { size }) => total + size, 0)).toBeGreaterThan(0);
    await downloadFile(file, page);
    const source = (await page.store.open(file))!;
    expect(await source.readRange(90_000, 110_000)).toEqual(Uint8Array.from(weights.subarray(90_000, 110_000)));
    const quota = Object.assign(new Error("full"), { name: "QuotaExceededError" });
    const full = { ...context, store: blobStore("org/full", { ...cache, set: () => Promise.reject(quota) }, "a page") };
    await expect(downloadFile(file, full)).rejects.toMatchObject({ code: "DISK_FULL", message: expect.stringContaining("gives this site no more room") as string });
  });
});

it("damaged blobs are downloaded again", async () => {
  hub.push("org/damaged", model);
  await load("org/damaged");
  const { file } = await fileOf("org/damaged");
  writeFileSync(blobPath("org/damaged", file), "short");
  expect([await load("org/damaged"), statSync(blobPath("org/damaged", file)).size]).toEqual([sum, weights.length]);
});
