import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
let folder: string;

/** This package's sources where no onnxruntime is installed. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "heddle-bare-"));
  cpSync(join(root, "src"), join(folder, "src"), { recursive: true });
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  cpSync(join(root, "node_modules/@bufbuild"), join(folder, "node_modules/@bufbuild"), { recursive: true, dereference: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function tellsError(): Promise<unknown> {
  const program = `
    import { openDevice } from ${JSON.stringify(pathToFileURL(join(folder, "src/device/open.ts")).href)};
    const error = await openDevice({ device: "cpu" }).catch((error) => error);
    console.log(JSON.stringify({ code: error.code, message: error.message }));`;
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const { stdout } = await run(process.execPath, ["--import", tsx, "--input-type=module", "--eval", program], { cwd: folder, timeout: 40_000 });
  return JSON.parse(stdout);
}

describe("the cpu device where something is missing", () => {
  it("names the package and the line that installs it", async () => {
    expect(await tellsError()).toEqual({ code: "PACKAGE_MISSING", message: expect.stringMatching(/the package onnxruntime-node is not installed; add it with: npm install onnxruntime-node/) });
  });

  it("passes on what a package that does not load says", async () => {
    const installed = join(folder, "node_modules/onnxruntime-node");
    cpSync(join(root, "node_modules/onnxruntime-node/package.json"), join(installed, "package.json"));
    cpSync(join(root, "node_modules/onnxruntime-node/dist"), join(installed, "dist"), { recursive: true });
    symlinkSync(join(root, "node_modules/onnxruntime-common"), join(folder, "node_modules/onnxruntime-common"), "dir");
    expect(await tellsError()).toEqual({ code: "RUNTIME_FAILED", message: expect.stringMatching(/onnxruntime: Cannot find module .*onnxruntime_binding\.node/) });
  });

  it("says that a bundle left its thread's script behind", async () => {
    rmSync(join(folder, "src/cpu/worker.js"));
    expect(await tellsError()).toEqual({ code: "PACKAGE_MISSING", message: expect.stringMatching(/there is no .*worker\.js.*mark @heddle\/kernels as external/) });
  });
});
