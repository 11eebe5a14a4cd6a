import { HeddleError } from "../../errors.ts";
import type { Instance } from "../adapter.ts";
import { drivers, type Missing } from "./drivers.ts";

interface Dawn {
  create(flags: string[]): GPU;
}

/** The loader reads these when Dawn makes a Vulkan instance; the second is the first one's name before loader 1.3.207. */
const DRIVER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] as const;

/** Dawn's instances: Node crashes when one is collected while a device of it lives. */
const heldInstances = new Set<GPU>();

/** The choice of a driver passes through the environment, so one instance is made at a time. */
let queue: Promise<unknown> = Promise.resolve();

/** An instance of Dawn for each driver of this machine, best first, made when asked for. */
export async function* nodeInstances(wish: string | undefined, toggles: readonly string[]): AsyncGenerator<Instance | Missing> {
  const { create } = await loadDawn();
  for await (const driver of drivers(wish)) {
    if ("missing" in driver) {
      yield driver;
      continue;
    }
    const made = queue.then(() => withDriver(driver.icdPath, () => makeInstance(create, toggles)));
    queue = made.catch(() => {});
    const gpu = await made;
    yield { gpu, source: driver.source, release: () => heldInstances.delete(gpu) };
  }
  const { isMainThread } = process.getBuiltinModule("node:worker_threads");
  if (!isMainThread) yield { missing: "a worker's own environment never reaches the Vulkan loader, start it with { env: SHARE_ENV }" };
}

async function makeInstance(create: Dawn["create"], toggles: readonly string[]): Promise<GPU> {
  const off = toggles.filter((toggle) => toggle.startsWith("-")).map((toggle) => toggle.slice(1));
  const on = toggles.filter((toggle) => !toggle.startsWith("-"));
  const gpu = create([...(on.length > 0 ? [`enable-dawn-features=${on.join(",")}`] : []), ...(off.length > 0 ? [`disable-dawn-features=${off.join(",")}`] : [])]);
  heldInstances.add(gpu);
  // Dawn loads its backends for the first request, and only then is the environment read.
  await gpu.requestAdapter();
  return gpu;
}

async function withDriver<T>(icdPath: string | undefined, work: () => Promise<T>): Promise<T> {
  if (icdPath === undefined) return work();
  const before = DRIVER_VARIABLES.map((name) => process.env[name]);
  for (const name of DRIVER_VARIABLES) process.env[name] = icdPath;
  try {
    return await work();
  } finally {
    DRIVER_VARIABLES.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
  }
}

async function loadDawn(): Promise<Dawn> {
  // A variable, so that bundlers leave the native module alone.
  const name = "webgpu";
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as Dawn;
  } catch (cause) {
    const problem =
      (cause as { code?: string }).code === "ERR_MODULE_NOT_FOUND"
        ? "the npm package `webgpu` is not installed. Run `npm i webgpu`"
        : `the npm package \`webgpu\` does not load on ${process.platform} ${process.arch}: ${(cause as Error).message}. It has builds for Linux with glibc, macOS and Windows`;
    throw new HeddleError("NO_ADAPTER", `[device] ${problem}. Or run on the CPU, slowly, with device: "reference" or HEDDLE_DEVICE=reference`, { cause });
  }
}
