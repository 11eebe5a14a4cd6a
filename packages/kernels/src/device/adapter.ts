import { adapterName, adapterText, isSoftware } from "./classify.ts";
import { environment, hostProcess } from "./environment.ts";
import { noAdapter, noSuchAdapter } from "./no-adapter.ts";

export interface AdapterOptions {
  /**
   * `gpu` (never a software adapter), `lavapipe`, `swiftshader`, or a part of an adapter's name such as `nvidia`.
   * Default: the environment's HEDDLE_ADAPTER, else the best adapter found.
   */
  adapter?: string;
  /**
   * Dawn's toggles, in Node only: `disable_robustness` switches one on, `-timestamp_quantization` one off. Default: the
   * environment's HEDDLE_DAWN_TOGGLES, separated by commas.
   */
  dawnToggles?: readonly string[];
}

/** An implementation of WebGPU with the drivers it found. */
export interface Instance {
  readonly gpu: GPU;
  /** Where it was found, for people: `navigator.gpu`, `the system's Vulkan drivers`, the path of a driver. */
  readonly source: string;
  /** Lets go of the implementation. Only after its last device was destroyed: Dawn crashes otherwise. */
  release(): void;
}

export interface AcquiredGpu extends Instance {
  readonly adapter: GPUAdapter;
}

/** The different ways to ask: a laptop answers with its GPUs in turn, and with its software adapter last. */
const ADAPTER_REQUESTS: readonly GPURequestAdapterOptions[] = [{ powerPreference: "high-performance" }, { powerPreference: "low-power" }, { forceFallbackAdapter: true }];

/**
 * Finds an adapter: by `navigator.gpu` where it exists (browsers, Deno), else by Dawn in the npm package `webgpu` with the
 * first driver that works. Throws NO_ADAPTER with the fix for this system.
 */
export async function acquireGpu(options: AdapterOptions = {}): Promise<AcquiredGpu> {
  const wish = (options.adapter ?? environment("HEDDLE_ADAPTER"))?.toLowerCase();
  const found: string[] = [];
  for await (const instance of instances(wish, options.dawnToggles)) {
    if ("missing" in instance) {
      found.push(instance.missing);
      continue;
    }
    const names = new Set<string>();
    for await (const adapter of adaptersOf(instance)) {
      if (isWanted(adapter.info, wish)) return { ...instance, adapter };
      names.add(adapterName(adapter.info));
    }
    instance.release();
    found.push(`${instance.source}: ${[...names].join(", ") || "no adapter that WebGPU accepts"}`);
  }
  throw wish === undefined ? noAdapter(found) : noSuchAdapter(wish, found);
}

/** Implementations to ask for adapters, best first; `missing` says what was not there to be asked. */
export async function* instances(wish: string | undefined, dawnToggles?: readonly string[]): AsyncGenerator<Instance | { readonly missing: string }> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (gpu) {
    yield { gpu, source: "navigator.gpu", release: () => {} };
  } else if (hostProcess?.versions?.node) {
    const toggles = dawnToggles ?? environment("HEDDLE_DAWN_TOGGLES")?.split(",").map((toggle) => toggle.trim()) ?? [];
    const { nodeInstances } = await import("./node/instances.ts");
    yield* nodeInstances(wish, toggles.filter(Boolean));
  }
}

/** Its adapters, best first; one can come twice. */
export async function* adaptersOf({ gpu }: Instance): AsyncGenerator<GPUAdapter> {
  for (const request of ADAPTER_REQUESTS) {
    const adapter = await gpu.requestAdapter(request);
    if (adapter) yield adapter;
  }
}

/** @param wish in lower case; undefined: anything will do */
export function isWanted(info: GPUAdapterInfo, wish: string | undefined): boolean {
  if (wish === undefined) return true;
  if (wish === "gpu") return !isSoftware(info);
  return adapterText(info).toLowerCase().includes(wish === "lavapipe" ? "llvmpipe" : wish);
}
