import { HeddleError } from "../../errors.ts";
import { pickAdapter, type AcquiredGpu, type AdapterWish } from "../adapter.ts";
import { noAdapter } from "../no-adapter.ts";
import { drivers, type Driver } from "./drivers.ts";

interface Dawn {
  create(flags: string[]): GPU;
}

/** The loader reads these when Dawn makes a Vulkan instance; the second is the first one's name before loader 1.3.207. */
const DRIVER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] as const;

/** Dawn's instances: Node crashes when one is collected while a device of it lives. */
const heldInstances = new Set<GPU>();

let queue: Promise<unknown> = Promise.resolve();

/** Tries the drivers of this machine in turn. One search at a time: the choice of a driver passes through the environment. */
export function acquireNodeGpu(wish: AdapterWish, toggles: readonly string[]): Promise<AcquiredGpu> {
  const search = queue.then(() => searchDrivers(wish, toggles));
  queue = search.catch(() => {});
  return search;
}

async function searchDrivers(wish: AdapterWish, toggles: readonly string[]): Promise<AcquiredGpu> {
  const found: string[] = [];
  for await (const driver of drivers(wish.name)) {
    if ("missing" in driver) {
      found.push(driver.missing);
      continue;
    }
    const acquired = await tryDriver(driver, wish, toggles);
    if (!Array.isArray(acquired)) return acquired;
    found.push(`${driver.source}: ${acquired.join(", ") || "no adapter that Dawn accepts"}`);
  }
  if (wish.name === undefined) throw noAdapter(process.platform, [...found, ...workerHint()]);
  throw new HeddleError(
    "NO_ADAPTER",
    `[device] no adapter called "${wish.name}" (HEDDLE_ADAPTER or the option \`adapter\`); found ${found.join("; ") || "no driver at all"}. Name one of these, or \`gpu\`, \`lavapipe\`, \`swiftshader\`, or leave it out`,
  );
}

/** The adapter of one driver, or the names of the adapters that are not the one wanted. */
export async function tryDriver(driver: Driver, wish: AdapterWish, toggles: readonly string[]): Promise<AcquiredGpu | string[]> {
  const dawn = await loadDawn();
  const before = DRIVER_VARIABLES.map((name) => process.env[name]);
  if (driver.icdPath !== undefined) for (const name of DRIVER_VARIABLES) process.env[name] = driver.icdPath;
  try {
    const gpu = dawn.create(dawnFlags(toggles));
    heldInstances.add(gpu);
    const adapter = await pickAdapter(gpu, wish);
    if (!Array.isArray(adapter)) return { gpu, adapter, source: driver.source, release: () => heldInstances.delete(gpu) };
    heldInstances.delete(gpu);
    return adapter;
  } finally {
    DRIVER_VARIABLES.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
  }
}

function dawnFlags(toggles: readonly string[]): string[] {
  const off = toggles.filter((toggle) => toggle.startsWith("-")).map((toggle) => toggle.slice(1));
  const on = toggles.filter((toggle) => !toggle.startsWith("-"));
  return [...(on.length > 0 ? [`enable-dawn-features=${on.join(",")}`] : []), ...(off.length > 0 ? [`disable-dawn-features=${off.join(",")}`] : [])];
}

async function loadDawn(): Promise<Dawn> {
  // A variable, so that bundlers leave the native module alone.
  const name = "webgpu";
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as Dawn;
  } catch (cause) {
    const isMissing = (cause as { code?: string }).code === "ERR_MODULE_NOT_FOUND";
    const problem = isMissing ? "the npm package `webgpu` is not installed. Run `npm i webgpu`" : `the npm package \`webgpu\` does not load on ${process.platform} ${process.arch}: ${(cause as Error).message}. It has builds for Linux (glibc), macOS and Windows`;
    throw new HeddleError("NO_ADAPTER", `[device] ${problem}. Or run on the CPU, slowly, with device: "reference" or HEDDLE_DEVICE=reference`, { cause });
  }
}

function workerHint(): string[] {
  const { isMainThread } = process.getBuiltinModule("node:worker_threads");
  return isMainThread ? [] : ["a worker's own environment never reaches the Vulkan loader: start it with { env: SHARE_ENV }"];
}
