import { describe, expect, it } from "vitest";
import { chooseMatmulKernel } from "./choose.ts";
import type { MatmulShape } from "./op.ts";

const shape = (m: number, n: number, k: number, batches = 1): MatmulShape => ({ m, n, k, batches, transposeA: false, transposeB: false, sharesA: false, sharesB: false });
const adapter = (kind: "software" | "integrated" | "discrete" | "unknown", description = "", features: string[] = []) => ({
  kind,
  description,
  architecture: "",
  features: new Set(features),
  subgroupMinSize: features.length > 0 ? 4 : 0,
  subgroupMaxSize: features.length > 0 ? 8 : 0,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
});
const lavapipe = adapter("software", "llvmpipe (LLVM 19)", ["subgroups"]);

describe("chooseMatmulKernel", () => {
  it("takes quads where a CPU runs the shaders and subgroups exist", () => {
    expect(chooseMatmulKernel(lavapipe, shape(2048, 512, 128))).toEqual({ design: { kind: "register", rows: 16, columns: 8, lanes: [8, 1], share: "quad" }, splits: 1 });
    expect(chooseMatmulKernel(adapter("software", "SwiftShader Device", ["subgroups"]), shape(2048, 512, 128)).design).toMatchObject({ rows: 8, share: "quad" });
    expect(chooseMatmulKernel(adapter("software"), shape(2048, 512, 128)).design).toMatchObject({ kind: "register", share: "none" });
  });

  it("never asks for more workgroup memory or lanes than the adapter has", () => {
    expect(chooseMatmulKernel(adapter("discrete"), shape(4096, 4096, 4096)).design).toMatchObject({ kind: "workgroup", rows: 8, columns: 8 });
    expect(chooseMatmulKernel({ ...adapter("discrete"), maxComputeInvocationsPerWorkgroup: 128 }, shape(4096, 4096, 4096)).design).toMatchObject({ kind: "workgroup", lanes: [8, 8] });
    expect(chooseMatmulKernel({ ...adapter("unknown"), maxComputeWorkgroupStorageSize: 1024 }, shape(4096, 4096, 4096)).design).toMatchObject({ kind: "register" });
  });

  it("splits a long k only where few workgroups would work", () => {
    expect(chooseMatmulKernel(lavapipe, shape(16, 64, 4096)).splits).toBe(16);
    expect(chooseMatmulKernel(lavapipe, shape(16, 64, 100)).splits).toBe(1);
    expect(chooseMatmulKernel(lavapipe, shape(512, 512, 4096)).splits).toBe(1);
    expect(chooseMatmulKernel(lavapipe, shape(0, 64, 4096)).splits).toBeGreaterThan(0);
  });

  it("gives few rows kernels of their own where the weight lies [N, K]", () => {
    const decode = (m: number, k = 1024): MatmulShape => ({ ...shape(m, 512, k), transposeB: true });
    const withSubgroups = (least: number) => ({ ...adapter("discrete", "", ["subgroups"]), subgroupMinSize: least });
    expect(chooseMatmulKernel(lavapipe, decode(1)).design).toMatchObject({ kind: "register", rows: 1 });
    expect(chooseMatmulKernel(lavapipe, shape(3, 512, 1024)).design).toMatchObject({ kind: "register", rows: 4 });
    expect(chooseMatmulKernel(withSubgroups(32), decode(1))).toEqual({ design: { kind: "gemv", rows: 1, reduce: "subgroup" }, splits: 1 });
    expect(chooseMatmulKernel(withSubgroups(8), decode(3)).design).toEqual({ kind: "gemv", rows: 4, reduce: "workgroup" });
    expect(chooseMatmulKernel(withSubgroups(32), decode(9)).design.kind).toBe("workgroup");
    expect(chooseMatmulKernel(withSubgroups(32), decode(1, 1022)).design.kind).toBe("workgroup");
    expect(chooseMatmulKernel(withSubgroups(32), shape(1, 512, 1024)).design.kind).toBe("workgroup");
  });

  it("takes matrix units for weights in fewer bits alone, where their subgroups have one size", () => {
    const units = { ...adapter("discrete", "", ["subgroups", "shader-f16", "chromium-experimental-subgroup-matrix"]), subgroupMinSize: 32, subgroupMaxSize: 32, maxComputeWorkgroupStorageSize: 49152 };
    const linear = (m: number, n: number): MatmulShape => ({ ...shape(m, n, 1024), transposeB: true });
    expect(chooseMatmulKernel(units, linear(512, 512), "f16").design).toEqual({ kind: "subgroup-matrix", tileRows: 128, tileColumns: 128, depth: 32, subgroupSize: 32 });
    expect(chooseMatmulKernel(units, linear(100, 512), "q4_0").design).toMatchObject({ kind: "subgroup-matrix", tileRows: 64 });
    expect(chooseMatmulKernel({ ...units, maxComputeWorkgroupStorageSize: 16384 }, linear(512, 512), "f16").design).toMatchObject({ kind: "subgroup-matrix", tileRows: 64 });
    expect(chooseMatmulKernel(units, linear(512, 512)).design.kind).toBe("workgroup");
    expect(chooseMatmulKernel(units, shape(512, 512, 1024), "f16").design.kind).toBe("workgroup");
    expect(chooseMatmulKernel({ ...units, subgroupMaxSize: 64 }, linear(512, 512), "f16").design.kind).toBe("workgroup");
    expect(chooseMatmulKernel({ ...units, features: new Set(["subgroups"]) }, linear(512, 512), "f16").design.kind).toBe("workgroup");
  });

  it("leaves tiny and thin products to the naive kernel", () => {
    expect(chooseMatmulKernel(lavapipe, shape(32, 2, 128)).design.kind).toBe("naive");
    expect(chooseMatmulKernel(lavapipe, shape(8, 8, 8)).design.kind).toBe("naive");
  });
});
