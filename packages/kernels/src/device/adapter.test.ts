import { afterEach, describe, expect, it, vi } from "vitest";
import { HeddleError } from "../errors.ts";
import { acquireGpu } from "./adapter.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

const refusal = async (): Promise<HeddleError> => {
  const error: unknown = await acquireGpu().then(({ release }) => release(), (e: unknown) => e);
  if (!HeddleError.isInstance(error)) throw new Error("an adapter was found", { cause: error });
  return error;
};

describe("acquireGpu in Node", () => {
  it("says what there is when HEDDLE_ADAPTER names something else", async () => {
    vi.stubEnv("HEDDLE_ADAPTER", "voodoo2");
    const error = await refusal();
    expect(error.code).toBe("NO_ADAPTER");
    expect(error.message).toMatch(/"voodoo2".*Found: .*: .*leave it out/);
  });

  it("uses nothing but VK_DRIVER_FILES where that is set, and leaves it as it was", async () => {
    vi.stubEnv("VK_DRIVER_FILES", "/nowhere/icd.json");
    const error = await refusal();
    expect(error.code).toBe("NO_ADAPTER");
    expect(error.message).toContain("VK_DRIVER_FILES=/nowhere/icd.json");
    expect(error.message).not.toContain("chromium/vk_swiftshader");
    expect(process.env["VK_DRIVER_FILES"]).toBe("/nowhere/icd.json");
  });

  it.runIf(process.platform === "linux")("names the fix for this system", async () => {
    vi.stubEnv("VK_DRIVER_FILES", "/nowhere/icd.json");
    expect((await refusal()).message).toMatch(/npm i -D @sparticuz\/chromium.*HEDDLE_DEVICE=reference/);
  });

  it("hands toggles to Dawn, from the option or the environment", async () => {
    const features = async (dawnToggles?: string[]) => {
      const { adapter, release } = await acquireGpu({ dawnToggles });
      release();
      return adapter.features.size;
    };
    const normal = await features([]);
    expect(await features(["allow_unsafe_apis"])).toBeGreaterThan(normal);
    vi.stubEnv("HEDDLE_DAWN_TOGGLES", "allow_unsafe_apis, -timestamp_quantization");
    expect(await features()).toBeGreaterThan(normal);
    expect(await features(["-allow_unsafe_apis"])).toBe(normal);
  });

  it("gives two adapters at once what each asked for", async () => {
    const before = process.env["VK_DRIVER_FILES"];
    const [a, b] = await Promise.all([acquireGpu(), acquireGpu()]);
    expect(a.gpu).not.toBe(b.gpu);
    expect(a.adapter.info.description).toBe(b.adapter.info.description);
    expect(process.env["VK_DRIVER_FILES"]).toBe(before);
    a.release();
    b.release();
  });
});

describe("acquireGpu with navigator.gpu", () => {
  const adapter = (description: string, architecture = "") => ({ info: { vendor: "", architecture, device: "", description } });
  const browser = (answer: (request: GPURequestAdapterOptions) => unknown) => vi.stubGlobal("navigator", { gpu: { requestAdapter: async (request: GPURequestAdapterOptions) => answer(request) ?? null } });

  it("takes the first adapter", async () => {
    browser(() => adapter("Apple M2"));
    const { adapter: found, source } = await acquireGpu();
    expect([found.info.description, source]).toEqual(["Apple M2", "navigator.gpu"]);
  });

  it("finds the software adapter when asked for it", async () => {
    browser(({ forceFallbackAdapter }) => (forceFallbackAdapter ? adapter("", "swiftshader") : adapter("Apple M2")));
    expect((await acquireGpu({ adapter: "SwiftShader" })).adapter.info.architecture).toBe("swiftshader");
    expect((await acquireGpu({ adapter: "gpu" })).adapter.info.description).toBe("Apple M2");
  });

  it("reports a browser that offers none", async () => {
    browser(() => null);
    expect((await refusal()).code).toBe("NO_ADAPTER");
  });
});
