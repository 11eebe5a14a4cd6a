import { HeddleError } from "../errors.ts";
import { adapterText, isSoftware } from "./classify.ts";
import { environment, hostProcess } from "./environment.ts";
import { noAdapter } from "./no-adapter.ts";

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

/** An adapter, and the implementation of WebGPU that must stay alive as long as its devices. */
export interface AcquiredGpu {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
  /** Where it was found, for people: `navigator.gpu`, `the system's Vulkan drivers`, the path of a driver. */
  readonly source: string;
  /** Lets go of the implementation. Only after the last device of it was destroyed: Dawn crashes otherwise. */
  release(): void;
}

/** Which adapters will do, and what the user called them. */
export interface AdapterWish {
  readonly name: string | undefined;
  accepts(adapter: GPUAdapter): boolean;
}

/**
 * Finds an adapter: `navigator.gpu` where it exists (browsers, Deno), else Dawn by the npm package `webgpu` with the first
 * driver that works. Throws NO_ADAPTER with the fix for this system.
 */
export async function acquireGpu(options: AdapterOptions = {}): Promise<AcquiredGpu> {
  const wish = adapterWish(options.adapter ?? environment("HEDDLE_ADAPTER"));
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (gpu) return fromBrowser(gpu, wish);
  if (!hostProcess?.versions?.node) throw noAdapter("browser", []);
  const toggles = options.dawnToggles ?? environment("HEDDLE_DAWN_TOGGLES")?.split(",").map((toggle) => toggle.trim()) ?? [];
  const { acquireNodeGpu } = await import("./node/acquire.ts");
  return acquireNodeGpu(wish, toggles.filter(Boolean));
}

export function adapterWish(name: string | undefined): AdapterWish {
  if (name === undefined) return { name, accepts: () => true };
  const wanted = name.toLowerCase();
  if (wanted === "gpu") return { name: wanted, accepts: ({ info }) => !isSoftware(info) };
  const part = wanted === "lavapipe" ? "llvmpipe" : wanted;
  return { name: wanted, accepts: ({ info }) => adapterText(info).toLowerCase().includes(part) };
}

/** The different ways to ask: a laptop answers with its GPUs in turn, and with its software adapter last. */
export const ADAPTER_REQUESTS: readonly GPURequestAdapterOptions[] = [{ powerPreference: "high-performance" }, { powerPreference: "low-power" }, { forceFallbackAdapter: true }];

/** The first adapter of `gpu` that is wanted, else the names of those that are not. */
export async function pickAdapter(gpu: GPU, wish: AdapterWish): Promise<GPUAdapter | string[]> {
  const refused = new Set<string>();
  for (const request of ADAPTER_REQUESTS) {
    const adapter = await gpu.requestAdapter(request);
    if (adapter && wish.accepts(adapter)) return adapter;
    if (adapter) refused.add(adapterText(adapter.info));
    if (wish.name === undefined) break;
  }
  return [...refused];
}

async function fromBrowser(gpu: GPU, wish: AdapterWish): Promise<AcquiredGpu> {
  const adapter = await pickAdapter(gpu, wish);
  if (!Array.isArray(adapter)) return { gpu, adapter, source: "navigator.gpu", release: () => {} };
  if (adapter.length === 0) throw noAdapter("browser", ["navigator.gpu exists and offers no adapter"]);
  throw new HeddleError("NO_ADAPTER", `[device] no adapter called "${wish.name}" here, only ${adapter.join("; ")}. Leave the option \`adapter\` out, or name one of these`);
}
