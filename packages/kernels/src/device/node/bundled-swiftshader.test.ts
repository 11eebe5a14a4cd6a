import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openGpu } from "../gpu.ts";
import { bundledSwiftShader } from "./bundled-swiftshader.ts";

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "heddle-test-"));
  vi.stubEnv("XDG_CACHE_HOME", cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

async function unpacked(): Promise<string> {
  const bundled = await bundledSwiftShader();
  if ("missing" in bundled) throw new Error(bundled.missing);
  return bundled.folder;
}
const LIBRARY = "libvk_swiftshader.so";

// The package holds binaries for this platform only.
describe.runIf(process.platform === "linux" && process.arch === "x64")("the SwiftShader in @sparticuz/chromium", () => {
  it("is unpacked once, whole, without leftovers", async () => {
    const folder = await unpacked();
    expect(folder.startsWith(cache)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual([LIBRARY, "libvulkan.so.1", "sizes.json", "vk_swiftshader_icd.json"]);
    const { mtimeMs } = statSync(join(folder, LIBRARY));
    expect(await unpacked()).toBe(folder);
    expect(statSync(join(folder, LIBRARY)).mtimeMs).toBe(mtimeMs);
    expect(readdirSync(join(cache, "heddle"))).toHaveLength(1);
  });

  it("gives an adapter that opens", async () => {
    vi.stubEnv("VK_DRIVER_FILES", join(await unpacked(), "vk_swiftshader_icd.json"));
    const gpu = await openGpu();
    expect(gpu.source).toContain(cache);
    expect(gpu.profile.description).toContain("SwiftShader");
    gpu.dispose();
  });

  it("is unpacked again where a file was damaged", async () => {
    const folder = await unpacked();
    const { size } = statSync(join(folder, LIBRARY));
    truncateSync(join(folder, LIBRARY), 100);
    expect(await unpacked()).toBe(folder);
    expect(statSync(join(folder, LIBRARY)).size).toBe(size);
    expect(readdirSync(join(cache, "heddle"))).toHaveLength(1);
  });

  it("survives being unpacked by several at once", async () => {
    const folders = await Promise.all([unpacked(), unpacked(), unpacked()]);
    expect(new Set(folders).size).toBe(1);
    expect(existsSync(join(folders[0]!, LIBRARY))).toBe(true);
    expect(readdirSync(join(cache, "heddle"))).toHaveLength(1);
  });

  it("goes to a private temporary folder where the cache cannot be written", async () => {
    vi.stubEnv("XDG_CACHE_HOME", "/dev/null/nowhere");
    vi.stubEnv("TMPDIR", cache);
    const folder = await unpacked();
    expect(folder.startsWith(join(cache, `heddle-${process.getuid!()}`))).toBe(true);
    expect(statSync(join(cache, `heddle-${process.getuid!()}`)).mode & 0o777).toBe(0o700);
  });

  it.each(["a folder open to all", "a link"])("does not trust a temporary folder that is %s", async (kind) => {
    vi.stubEnv("XDG_CACHE_HOME", "/dev/null/nowhere");
    vi.stubEnv("TMPDIR", cache);
    const planted = join(cache, `heddle-${process.getuid!()}`);
    if (kind === "a link") {
      mkdirSync(join(cache, "elsewhere"));
      symlinkSync(join(cache, "elsewhere"), planted);
    } else {
      mkdirSync(planted);
      chmodSync(planted, 0o777);
    }
    const folder = await unpacked();
    expect(folder.startsWith(`${planted}/`)).toBe(false);
    expect(readdirSync(planted)).toEqual([]);
  });
});
