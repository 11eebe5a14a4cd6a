import { afterEach, describe, expect, it, vi } from "vitest";
import { listDevices } from "./list.ts";
import { openDevice, type DeviceName } from "./open.ts";

afterEach(() => vi.unstubAllEnvs());

describe("openDevice", () => {
  it("opens WebGPU", async () => {
    const opened = await openDevice({ device: "webgpu" });
    expect(opened.kind).toBe("webgpu");
    expect(opened.description).not.toBe("");
    expect(opened.memory.currentBytes).toBe(0);
    opened.dispose();
  });

  it("opens the reference interpreter when asked, without looking for an adapter", async () => {
    vi.stubEnv("VK_DRIVER_FILES", "/nowhere/icd.json");
    expect((await openDevice({ device: "reference" })).kind).toBe("reference");
    vi.stubEnv("HEDDLE_DEVICE", "reference");
    expect((await openDevice()).kind).toBe("reference");
  });

  it("prefers the option to the environment", async () => {
    vi.stubEnv("HEDDLE_DEVICE", "webgpu");
    expect((await openDevice({ device: "reference" })).kind).toBe("reference");
  });

  it("refuses a name that it does not know", async () => {
    await expect(openDevice({ device: "cuda" as DeviceName })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(/"cuda".*webgpu/) as string });
  });
});

describe("listDevices", () => {
  it("finds what openDevice takes, with a measured ceiling", async () => {
    const { devices, cpu } = await listDevices();
    expect(cpu!.matmulGflops).toBeGreaterThan(1);
    const opened = await openDevice({ device: "webgpu" });
    expect(devices.map(({ name }) => name)).toContain(opened.description);
    expect(new Set(devices.map(({ name }) => name)).size).toBe(devices.length);
    for (const { problem, ceilingGflops, profile, source } of devices) {
      expect(problem).toBeUndefined();
      expect(ceilingGflops).toBeGreaterThan(0.05);
      expect(profile.maxBufferSize).toBeGreaterThan(0);
      expect(source).not.toBe("");
    }
    opened.dispose();
  });

  it("is empty, with the reason, where there is nothing", async () => {
    vi.stubEnv("VK_DRIVER_FILES", "/nowhere/icd.json");
    vi.stubEnv("HEDDLE_ADAPTER", "");
    expect(await listDevices({ ceiling: false })).toEqual({ devices: [], cpu: { name: expect.stringContaining("onnxruntime-node") as string, matmulGflops: null }, auto: "cpu", missing: [expect.stringContaining("/nowhere/icd.json")] });
  });
});
