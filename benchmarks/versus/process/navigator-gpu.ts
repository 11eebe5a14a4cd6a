import { create, globals } from "webgpu";

/** Dawn crashes when an instance is collected. */
const held = new Set<GPU>();

const REQUESTS: readonly GPURequestAdapterOptions[] = [{ powerPreference: "high-performance" }, { powerPreference: "low-power" }, { forceFallbackAdapter: true }];

/** Gives libraries that were written for browsers a `navigator.gpu`, from the Dawn that Heddle uses. It has one adapter: that of this name. */
export async function provideNavigatorGpu(wanted: string): Promise<void> {
  Object.assign(globalThis, globals);
  const gpu = create([]);
  held.add(gpu);
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  const only = async (): Promise<GPUAdapter> => {
    for (const request of REQUESTS) {
      const adapter = await requestAdapter(request);
      if (adapter && describes(adapter.info, wanted)) return adapter;
    }
    throw new Error(`Dawn has no adapter called ${wanted} here`);
  };
  await only();
  const limited = { requestAdapter: only, getPreferredCanvasFormat: () => "rgba8unorm", wgslLanguageFeatures: gpu.wgslLanguageFeatures };
  // Node has a navigator from version 21 on.
  if (!("navigator" in globalThis)) Object.defineProperty(globalThis, "navigator", { value: { userAgent: `Node.js/${process.versions.node}` }, configurable: true });
  Object.defineProperty(globalThis.navigator, "gpu", { value: limited, configurable: true });
}

/** As `Device.description` has it. */
function describes({ vendor, architecture, device, description }: GPUAdapterInfo, wanted: string): boolean {
  return (description || device || `${vendor} ${architecture}`) === wanted;
}
