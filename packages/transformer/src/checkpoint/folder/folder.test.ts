import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import * as nodeFs from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TensorToWrite } from "../safetensors/writer.ts";
import { writeSafetensors } from "../safetensors/writer.ts";
import { lockFolder } from "./lock.ts";
import { openModelFolder } from "./open.ts";
import type { ModelFolderSource } from "./source.ts";
import { writeModelFolder } from "./write.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "heddle-folder-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tensor = (name: string, value: number): TensorToWrite => ({ name, dtype: "F32", shape: [1], data: Float32Array.of(value) });
const contents = (value: number): Parameters<typeof writeModelFolder>[1] => ({
  config: { model_type: "bert" },
  tokenizer: '{"version":"1.0"}',
  tokenizerConfig: { model_max_length: 512 },
  tensors: [tensor("w", value)],
});

async function valueOf(source: ModelFolderSource): Promise<number | undefined> {
  await using opened = await openModelFolder(source);
  for await (const { data } of (await opened.weights()).stream({ names: ["w"] })) return data[0];
  return undefined;
}

const served: typeof fetch = async (url) => {
  const name = new URL(url as string).pathname.replace("/org/model/", "");
  const found = readdirSync(folder).includes(name);
  return found ? new Response(Uint8Array.from(readFileSync(join(folder, name)))) : new Response("", { status: 404 });
};

describe("openModelFolder", () => {
  it("reads what writeModelFolder wrote, from a path, a URL, blobs and files", async () => {
    await writeModelFolder(folder, contents(7));
    const names = readdirSync(folder);
    expect(names.sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
    const files = names.map((name) => new File([Uint8Array.from(readFileSync(join(folder, name)))], name));
    const sources: ModelFolderSource[] = [folder, new URL(`file://${folder}`), { baseUrl: "http://host/org/model", fetch: served }, files, Object.fromEntries(files.map((file) => [file.name, file]))];
    for (const source of sources) {
      expect(await valueOf(source)).toBe(7);
      await using opened = await openModelFolder(source);
      expect([JSON.parse(opened.configText), opened.tokenizerText, await opened.readText("absent.txt")]).toEqual([{ model_type: "bert" }, '{"version":"1.0"}', undefined]);
    }
  });

  it("joins shards, and says which one is absent or does not fit", async () => {
    writeFileSync(join(folder, "config.json"), "{}");
    await writeSafetensors(join(folder, "model-1.safetensors"), [tensor("v", 1)]);
    await writeSafetensors(join(folder, "model-2.safetensors"), [tensor("w", 2)]);
    const index = (map: object): void => writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
    index({ v: "model-1.safetensors", w: "model-2.safetensors" });
    await using opened = await openModelFolder(folder);
    const weights = await opened.weights();
    const seen: string[] = [];
    for await (const { name, data } of weights.stream()) seen.push(`${name}=${data[0]}`);
    expect(seen).toEqual(["v=1", "w=2"]);
    const codeFor = async (map: object): Promise<unknown> => {
      index(map);
      return valueOf(folder).catch((error: { code: string }) => error.code);
    };
    expect(await codeFor({ v: "model-1.safetensors", w: "model-3.safetensors" })).toBe("WEIGHTS_MISSING");
    expect(await codeFor({ v: "model-1.safetensors", x: "model-2.safetensors" })).toBe("WEIGHTS_INDEX_INVALID");
    expect(await codeFor({ v: "../secret.safetensors" })).toBe("WEIGHTS_INDEX_INVALID");
    expect(await codeFor([])).toBe("WEIGHTS_INDEX_INVALID");
  });

  it("keeps files of sub-folders apart when a whole folder was picked", async () => {
    const picked = (path: string, text: string): File => Object.defineProperty(new File([text], path.split("/").at(-1)!), "webkitRelativePath", { value: path });
    const opened = await openModelFolder([picked("model/config.json", '{"model_type":"bert"}'), picked("model/1_Pooling/config.json", "{}")]);
    expect(opened.configText).toContain("bert");
    expect(await opened.readText("1_Pooling/config.json")).toBe("{}");
  });

  it("says what is missing and how to get it", async () => {
    const codeOf = (source: ModelFolderSource): Promise<unknown> => valueOf(source).catch((error: { code: string }) => error.code);
    expect(await codeOf(join(folder, "absent"))).toBe("MODEL_FOLDER_NOT_FOUND");
    expect(await codeOf([])).toBe("MODEL_FOLDER_NOT_FOUND");
    expect(await codeOf(folder)).toBe("CONFIG_MISSING");
    expect(await codeOf({ baseUrl: "http://host/org/model", fetch: served })).toBe("CONFIG_MISSING");
    expect(await codeOf({ baseUrl: "http://host/m", fetch: () => Promise.reject(new TypeError("no network")) })).toBe("DOWNLOAD_FAILED");
    expect(await codeOf({ baseUrl: "http://host/m", fetch: async () => new Response("", { status: 403 }) })).toBe("DOWNLOAD_FAILED");
    writeFileSync(join(folder, "config.json"), "{}");
    expect(await codeOf(join(folder, "config.json"))).toBe("MODEL_FOLDER_NOT_FOUND");
    expect(await codeOf(folder)).toBe("WEIGHTS_MISSING");
    writeFileSync(join(folder, "pytorch_model.bin"), "");
    await expect(valueOf(folder)).rejects.toMatchObject({ code: "WEIGHTS_MISSING", message: expect.stringContaining("save_pretrained") });
  });
});

describe("writeModelFolder", () => {
  it("leaves the earlier folder as it was when the disk fills up at the last file", async () => {
    await writeModelFolder(folder, contents(1));
    const before = readdirSync(folder);
    let opened = 0;
    const open: typeof nodeFs.open = async (...args) => {
      if (String(args[0]).includes("config.json") && ++opened === 2) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      return nodeFs.open(...args);
    };
    await expect(writeModelFolder(folder, contents(2), { fileSystem: { ...nodeFs, open } })).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(readdirSync(folder)).toEqual(before);
    expect(await valueOf(folder)).toBe(1);
  });

  it("removes what a killed run left, and refuses names that leave the folder", async () => {
    writeFileSync(join(folder, ".model.safetensors.heddle-tmp-1-0"), "rest");
    await writeModelFolder(folder, { ...contents(3), files: { "README.md": "# mine\n" } });
    expect(readdirSync(folder).sort()).toEqual(["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
    for (const name of ["../x", "a/b", "..", "model.safetensors"]) {
      await expect(writeModelFolder(folder, { ...contents(3), files: { [name]: "" } })).rejects.toMatchObject({ code: "FILE_NAME_INVALID" });
    }
  });

  it("refuses a folder that is a file", async () => {
    writeFileSync(join(folder, "taken"), "");
    await expect(writeModelFolder(join(folder, "taken"), contents(1))).rejects.toMatchObject({ code: "FOLDER_NOT_WRITABLE" });
    await expect(writeModelFolder(join(folder, "taken", "sub"), contents(1))).rejects.toMatchObject({ code: "FOLDER_NOT_WRITABLE" });
  });
});

describe("lockFolder", () => {
  it("lets one holder in at a time, and the next after release", async () => {
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: "FOLDER_IN_USE" });
    await expect(writeModelFolder(folder, contents(1))).rejects.toMatchObject({ code: "FOLDER_IN_USE" });
    await writeModelFolder(folder, contents(1), { lock });
    await lock.release();
    await writeModelFolder(folder, contents(2));
    expect(readdirSync(folder)).not.toContain(".heddle.lock");
  });

  it("respects another live process, and takes over from one that was killed", async () => {
    const script = join(folder, "sleep.cjs");
    writeFileSync(script, "setInterval(() => {}, 1000); process.send('up');");
    const child: ChildProcess = fork(script, { stdio: "ignore" });
    await once(child, "message");
    const target = join(folder, "out");
    mkdirSync(target);
    writeFileSync(join(target, ".heddle.lock"), JSON.stringify({ pid: child.pid, host: hostname(), processStart: null }));
    await expect(lockFolder(target)).rejects.toMatchObject({ code: "FOLDER_IN_USE", message: expect.stringContaining(String(child.pid)) });
    child.kill("SIGKILL");
    await once(child, "exit");
    await (await lockFolder(target)).release();
  });

  it("takes over from an earlier process of the same pid, and from an unreadable lock", async () => {
    const path = join(folder, ".heddle.lock");
    for (const rest of [JSON.stringify({ pid: process.pid, host: hostname(), processStart: "1" }), "", "{"]) {
      writeFileSync(path, rest);
      const lock = await lockFolder(folder);
      expect(readFileSync(path, "utf8")).toContain(String(process.pid));
      await lock.release();
    }
  });

  it("does not judge a process on another machine", async () => {
    const path = join(folder, ".heddle.lock");
    writeFileSync(path, JSON.stringify({ pid: 1, host: "elsewhere", processStart: null }));
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: "FOLDER_IN_USE", message: expect.stringContaining("elsewhere") });
    unlinkSync(path);
  });
});
