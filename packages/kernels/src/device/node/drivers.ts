import { bundledSwiftShader } from "./bundled-swiftshader.ts";

const { existsSync, readdirSync } = process.getBuiltinModule("node:fs");
const { join } = process.getBuiltinModule("node:path");
const { homedir, constants } = process.getBuiltinModule("node:os");

/** A way to an adapter: the system's own choice, or one Vulkan driver. */
export interface Driver {
  /** For people. */
  readonly source: string;
  /** The driver's json for the Vulkan loader; undefined: whatever the loader finds by itself. */
  readonly icdPath?: string;
}

/** What could not be tried, for people. */
export interface Missing {
  readonly missing: string;
}

const LOADER = "libvulkan.so.1";
const SWIFTSHADER_ICD = "vk_swiftshader_icd.json";
/** Keeps a library in the process after Node has found that it is no addon. */
const RTLD_NODELETE = 0x1000;

/**
 * Drivers to try, best first: what the system offers (GPUs, and Mesa's lavapipe), lavapipe where the loader does not look,
 * Chromium's SwiftShader, the SwiftShader inside the npm package `@sparticuz/chromium`. A VK_DRIVER_FILES that the user has
 * set is the only one. `missing` entries say what could not be tried.
 *
 * @param wish the user's: spares the search from drivers that it rules out
 */
export async function* drivers(wish?: string): AsyncGenerator<Driver | Missing> {
  if (process.platform !== "linux") {
    yield { source: "the system's graphics drivers" };
    return;
  }
  const chosen = process.env["VK_DRIVER_FILES"] || process.env["VK_ICD_FILENAMES"];
  const browsers = browserFolders();
  const hasLoader = [LOADER, ...browsers.map((folder) => join(folder, LOADER))].some(loadLibrary);
  if (chosen) {
    if (hasLoader || (await loadBundledLoader())) yield { source: `VK_DRIVER_FILES=${chosen}` };
    else yield { missing: `VK_DRIVER_FILES=${chosen} is set and there is no ${LOADER} to read it: apt install libvulkan1` };
    return;
  }
  const system = icdFiles();
  const lavapipe = system.filter((path) => /\/lvp_icd[^/]*\.json$/.test(path));
  // Without any driver in the usual places the loader would only print complaints.
  if (hasLoader && system.length > 0 && wish !== "lavapipe" && wish !== "swiftshader") yield { source: "the system's Vulkan drivers" };
  if (hasLoader && wish !== "gpu" && wish !== "swiftshader") for (const icdPath of lavapipe) yield { source: icdPath, icdPath };
  if (wish === "gpu" || wish === "lavapipe") return;
  if (hasLoader) for (const icdPath of browsers.map((folder) => join(folder, SWIFTSHADER_ICD)).filter(existsSync)) yield { source: icdPath, icdPath };
  const bundled = await bundledSwiftShader();
  if ("missing" in bundled) yield bundled;
  else if (hasLoader || loadLibrary(join(bundled.folder, LOADER))) {
    // Drivers that had no loader before have one now.
    if (!hasLoader && system.length > 0) yield { source: "the system's Vulkan drivers" };
    yield { source: join(bundled.folder, SWIFTSHADER_ICD), icdPath: join(bundled.folder, SWIFTSHADER_ICD) };
  }
}

async function loadBundledLoader(): Promise<boolean> {
  const bundled = await bundledSwiftShader();
  return !("missing" in bundled) && loadLibrary(join(bundled.folder, LOADER));
}

/** Loads a shared library for Dawn to find under its name. Node says "did not self-register" when that worked. */
function loadLibrary(path: string): boolean {
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
    return true;
  } catch (error) {
    return (error as Error).message.includes("did not self-register");
  }
}

/** Every driver json where the loader looks, and where NixOS and private installations keep theirs. */
function icdFiles(): string[] {
  const data = (process.env["XDG_DATA_DIRS"] || "/usr/local/share:/usr/share").split(":");
  const roots = [...data, process.env["XDG_DATA_HOME"] || join(homedir(), ".local/share"), "/etc", "/usr/local/etc", "/usr/local/share", "/usr/share", "/run/opengl-driver/share"];
  const folders = [...new Set(roots)].map((root) => join(root, "vulkan/icd.d"));
  return folders.flatMap((folder) => listFolder(folder).filter((name) => name.endsWith(".json")).map((name) => join(folder, name)));
}

/** Folders of Chromium and its kin, which carry SwiftShader and a Vulkan loader. */
function browserFolders(): string[] {
  const fixed = [
    "/usr/lib/chromium",
    "/usr/lib64/chromium-browser",
    "/usr/lib/chromium-browser",
    "/opt/google/chrome",
    "/opt/microsoft/msedge",
    "/opt/brave.com/brave",
    "/snap/chromium/current/usr/lib/chromium-browser",
  ];
  const playwright = process.env["PLAYWRIGHT_BROWSERS_PATH"] || join(homedir(), ".cache/ms-playwright");
  const downloaded = listFolder(playwright)
    .filter((name) => name.startsWith("chromium-"))
    .flatMap((name) => ["chrome-linux", "chrome-linux64"].map((folder) => join(playwright, name, folder)));
  return [...fixed, ...downloaded].filter((folder) => existsSync(join(folder, SWIFTSHADER_ICD)));
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
