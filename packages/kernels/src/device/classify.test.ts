import { describe, expect, it } from "vitest";
import { adapterName, classify, isSoftware, type AdapterInfo } from "./classify.ts";

const info = (vendor: string, architecture: string, description: string, device = ""): AdapterInfo => ({ vendor, architecture, device, description });

describe("classify", () => {
  // As Dawn and Chrome describe them.
  it.each([
    ["software", info("google", "swiftshader", "SwiftShader driver 5.0.0", "swiftshader-device-subzero-")],
    ["software", info("mesa", "software", "llvmpipe: Mesa 25.0.7-2 (LLVM 15.0.6) 0.0.1", "llvmpipe-llvm-15-0-6-256-bits-")],
    ["software", info("microsoft", "warp", "Microsoft Basic Render Driver")],
    ["software", { ...info("", "", ""), isFallbackAdapter: true }],
    ["discrete", info("nvidia", "ampere", "NVIDIA GeForce RTX 3060")],
    ["discrete", info("nvidia", "hopper", "")],
    ["integrated", info("nvidia", "ampere", "NVIDIA Tegra Orin (nvgpu)")],
    ["discrete", info("amd", "rdna-3", "AMD Radeon RX 7900 XTX (RADV NAVI31)")],
    ["integrated", info("amd", "rdna-3", "AMD Radeon 780M (RADV GFX1103_R1)")],
    ["integrated", info("amd", "gcn-5", "AMD Radeon(TM) Graphics")],
    ["unknown", info("amd", "rdna-3", "")],
    ["integrated", info("intel", "xe-lpg", "Intel(R) Arc(tm) Graphics (MTL)")],
    ["discrete", info("intel", "xe-hpg", "Intel(R) Arc(tm) A770 Graphics (DG2)")],
    ["discrete", info("intel", "", "Intel(R) Arc(TM) B580 Graphics")],
    ["integrated", info("intel", "gen-9", "Intel(R) UHD Graphics 620 (KBL GT2)")],
    ["integrated", info("apple", "metal-3", "Apple M2 Pro")],
    ["integrated", info("qualcomm", "adreno-7xx", "")],
    ["unknown", info("", "", "")],
  ] as const)("%s: %o", (kind, adapter) => {
    expect(classify(adapter)).toBe(kind);
    expect(isSoftware(adapter)).toBe(kind === "software");
  });

  it("names an adapter by the best that is known", () => {
    expect(adapterName(info("nvidia", "hopper", "NVIDIA H200"))).toBe("NVIDIA H200");
    expect(adapterName(info("nvidia", "hopper", ""))).toBe("nvidia hopper");
    expect(adapterName(info("", "", ""))).toBe("an adapter that hides its name");
  });
});
