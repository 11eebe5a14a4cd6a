import { readTar } from "./tar.ts";

const { existsSync, statSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } = process.getBuiltinModule("node:fs");
const { createRequire } = process.getBuiltinModule("node:module");
const { homedir, tmpdir } = process.getBuiltinModule("node:os");
const { basename, dirname, join } = process.getBuiltinModule("node:path");
const { promisify } = process.getBuiltinModule("node:util");
const { brotliDecompress } = process.getBuiltinModule("node:zlib");

const PACKAGE = "@sparticuz/chromium";
/** The driver, its description, and a Vulkan loader for machines that have none. */
const NEEDED = ["libvk_swiftshader.so", "vk_swiftshader_icd.json", "libvulkan.so.1"];
/** Releases up to 147 keep the archives in bin/, later ones in a folder per processor. */
const ARCHIVES = ["bin/swiftshader.tar.br", `bin/${process.arch}/swiftshader.tar.br`];
const MANIFEST = "sizes.json";

/** SwiftShader out of the npm package `@sparticuz/chromium`, unpacked once into the user's cache. */
export async function bundledSwiftShader(): Promise<{ readonly folder: string } | { readonly missing: string }> {
  if (process.arch !== "x64") return { missing: `${PACKAGE} has no SwiftShader for ${process.arch}` };
  const archive = findArchive();
  if (!archive) return { missing: `the npm package ${PACKAGE} is not installed` };
  // The archive's size tells versions apart and needs no reading of 3 MB at each start.
  const name = `swiftshader-${process.platform}-${process.arch}-${statSync(archive).size}`;
  const problems: string[] = [];
  for (const cache of cacheFolders()) {
    try {
      return { folder: await unpack(archive, join(cache(), name)) };
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  return { missing: `${PACKAGE}'s SwiftShader could not be unpacked: ${problems.join("; ")}` };
}

/** As installed beside this package or beside the running program. */
function findArchive(): string | undefined {
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      // The package exports its code only: the archive is in a folder above that.
      for (let folder = dirname(createRequire(from).resolve(PACKAGE)); folder !== dirname(folder); folder = dirname(folder)) {
        const archive = ARCHIVES.map((path) => join(folder, path)).find((path) => existsSync(path));
        if (archive) return archive;
      }
    } catch {
      // Not installed there.
    }
  }
  return undefined;
}

/** Folders to try, made when asked for: the user's cache, then the system's temporary folder. */
function cacheFolders(): (() => string)[] {
  const home = () => {
    const folder = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "heddle");
    mkdirSync(folder, { recursive: true });
    return folder;
  };
  return [home, privateTemporaryFolder];
}

/** The code unpacked here is loaded into the process: a folder that someone else could write to will not do. */
function privateTemporaryFolder(): string {
  const user = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `heddle-${user}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(folder);
  const isPrivate = lstatSync(folder).isDirectory() && uid === user && (mode & 0o022) === 0;
  return isPrivate ? folder : mkdtempSync(join(tmpdir(), "heddle-"));
}

/** Unpacks beside `folder` and renames, so that a half-written driver is never seen by another process. */
async function unpack(archive: string, folder: string): Promise<string> {
  if (isWhole(folder)) return folder;
  const files = [...readTar(await promisify(brotliDecompress)(readFileSync(archive)))].filter(({ name }) => NEEDED.includes(basename(name)));
  const lacking = NEEDED.filter((name) => !files.some((file) => basename(file.name) === name));
  if (lacking.length > 0) throw new Error(`${archive} holds no ${lacking.join(", ")}`);
  const fresh = mkdtempSync(`${folder}-`);
  try {
    for (const { name, data } of files) writeFileSync(join(fresh, basename(name)), data, { mode: 0o755 });
    writeFileSync(join(fresh, MANIFEST), JSON.stringify(Object.fromEntries(files.map(({ name, data }) => [basename(name), data.length]))));
    moveInto(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return folder;
}

function moveInto(fresh: string, folder: string): void {
  try {
    renameSync(fresh, folder);
  } catch {
    // Another process was faster, or an earlier one was interrupted.
    if (isWhole(folder)) return;
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  }
}

function isWhole(folder: string): boolean {
  try {
    const sizes = JSON.parse(readFileSync(join(folder, MANIFEST), "utf8")) as Record<string, number>;
    return NEEDED.every((name) => statSync(join(folder, name)).size === sizes[name]);
  } catch {
    return false;
  }
}
