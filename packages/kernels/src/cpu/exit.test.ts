import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);
const source = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

/** Runs a program that opens a cpu device; rejects when it crashes, fails or does not end by itself. */
async function ends(body: string): Promise<{ stdout: string; stderr: string }> {
  const program = `
    import { openDevice } from ${source("../device/open.ts")};
    import { compile } from ${source("../program/compile.ts")};
    import { matmul } from ${source("../ops/matmul/op.ts")};
    const device = await openDevice({ device: "cpu" });
    const input = (size) => ({ x: { shape: [size, size], data: new Float32Array(size * size).fill(1 / size) } });
    const power = compile(device, "power", ({ x }) => { let y = x; for (let i = 0; i < 30; i++) y = matmul(y, x); return { y }; });
    const used = async () => { await power.run(input(8)); };
    ${body}`;
  const { stdout, stderr } = await run(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    timeout: 40_000,
  });
  return { stdout: stdout.trim(), stderr };
}

const well = (stdout: string) => ({ stdout, stderr: "" });

describe("a process that used a cpu device ends by itself, with code 0 and without a word", () => {
  it("without dispose, used or not", async () => {
    expect(await ends(`await used(); console.log("done")`)).toEqual(well("done"));
    expect(await ends(`console.log("done")`)).toEqual(well("done"));
  });

  it("after dispose, used or not", async () => {
    expect(await ends(`await used(); device.dispose(); console.log("done")`)).toEqual(well("done"));
    expect(await ends(`device.dispose(); console.log("done")`)).toEqual(well("done"));
  });

  it("after a run that nobody waits for, which is done first", async () => {
    expect(await ends(`void power.run(input(64)).then(({ y }) => console.log(y.data[0].toFixed(5)))`)).toEqual(well("0.01563"));
  });

  it("after dispose in the middle of a run", async () => {
    expect(await ends(`void power.run(input(512)).then(() => console.log("done")); device.dispose()`)).toEqual(well("done"));
  });

  // 30 products of 1024³ take longer than any of these pauses.
  it.each([0, 10, 100])("by process.exit %s ms after a run was started", async (pauseMs) => {
    const exit = `void power.run(input(1024)).then(() => console.log("never")); await new Promise((resolve) => setTimeout(resolve, ${pauseMs})); console.log("done"); process.exit(0)`;
    expect(await ends(`await used(); ${exit}`)).toEqual(well("done"));
  });

  it.each([0, 20, 60])("by process.exit %s ms after another device was asked for", async (pauseMs) => {
    expect(await ends(`void openDevice({ device: "cpu" }); await new Promise((resolve) => setTimeout(resolve, ${pauseMs})); console.log("done"); process.exit(0)`)).toEqual(well("done"));
  });

  it("by an error that nobody catches, in the middle of a run", async () => {
    await expect(ends(`await used(); void power.run(input(1024)); setTimeout(() => { throw new Error("mine"); }, 50)`)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("mine") });
  });
});
