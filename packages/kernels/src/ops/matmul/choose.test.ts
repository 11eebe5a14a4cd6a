import { describe, expect, it } from "vitest";
import { matmulBucket, matmulDesigns, type AdapterFacts } from "./choose.ts";
import type { MatmulShape } from "./op.ts";
import type { WeightFormat } from "./weights.wgsl.ts";
import { workgroupTileBytes } from "./workgroup-tile.wgsl.ts";

const shape = (m: number, n: number, k: number, batches = 1): MatmulShape => ({ m, n, k, batches, transposeA: false, transposeB: false, sharesA: false, sharesB: false });
const adapter = (kind: "software" | "integrated" | "discrete" | "unknown", description = "", features: string[] = []) => ({
  kind,
  description,
  vendor: "",
  architecture: "",
  features: new Set(features),
  subgroupMinSize: features.length > 0 ? 4 : 0,
  subgroupMaxSize: features.length > 0 ? 8 : 0,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
});
const lavapipe = adapter("software", "llvmpipe (LLVM 19)", ["subgroups"]);

const shipped = (facts: AdapterFacts, size: MatmulShape, format?: WeightFormat) => matmulDesigns(facts, size, format)[0]!;

describe("matmulDesigns, the default", () => {
  it("takes quads where a CPU runs the shaders and subgroups exist", () => {
    expect(shipped(lavapipe, shape(2048, 512, 128))).toEqual({ name: "quad/16x8/1x8", kernel: { kind: "register", rows: 16, columns: 8, lanes: [8, 1], share: "quad" }, splits: 1 });
    const ofEight = { ...lavapipe, subgroupMinSize: 8 };
    expect(shipped(ofEight, shape(2048, 512, 128)).name).toBe("octet/24x8/1x8");
    expect(shipped(ofEight, shape(64, 512, 128)).name).toBe("quad/16x8/1x8");
    expect(shipped(ofEight, shape(2048, 512, 128), "f16").name).toBe("quad/16x8/1x8");
    expect(shipped(adapter("software", "SwiftShader Device", ["subgroups"]), shape(2048, 512, 128)).kernel).toMatchObject({ rows: 16, columns: 16, lanes: [4, 1], share: "quad" });
    expect(shipped(adapter("software"), shape(2048, 512, 128)).kernel).toMatchObject({ kind: "register", share: "none" });
  });

  it("never asks for more workgroup memory or lanes than the adapter has", () => {
    expect(shipped(adapter("discrete"), shape(4096, 4096, 4096)).kernel).toMatchObject({ kind: "workgroup", rows: 16, columns: 8, stages: 2 });
    expect(shipped(adapter("integrated"), shape(4096, 4096, 4096)).kernel).toMatchObject({ kind: "workgroup", rows: 4, columns: 4, lanes: [16, 16] });
    expect(shipped({ ...adapter("discrete"), maxComputeInvocationsPerWorkgroup: 64 }, shape(4096, 4096, 4096)).kernel).toMatchObject({ kind: "workgroup", lanes: [8, 8] });
    expect(shipped({ ...adapter("unknown"), maxComputeWorkgroupStorageSize: 1024 }, shape(4096, 4096, 4096)).kernel).toMatchObject({ kind: "register" });
  });

  it("splits a long k only where few workgroups would work", () => {
    expect(shipped(lavapipe, shape(16, 64, 4096)).splits).toBe(16);
    expect(shipped(lavapipe, shape(16, 64, 100)).splits).toBe(1);
    expect(shipped(lavapipe, shape(512, 512, 4096)).splits).toBe(1);
    expect(shipped(lavapipe, shape(0, 64, 4096)).splits).toBeGreaterThan(0);
  });

  it("lets a discrete GPU keep what lies along k, and split a sum only where that saves more than a second pass", () => {
    const facts = { ...adapter("discrete"), maxComputeWorkgroupStorageSize: 49152 };
    const linear = (m: number, n: number, k: number): MatmulShape => ({ ...shape(m, n, k), transposeB: true });
    expect(shipped(facts, linear(4096, 4096, 4096)).kernel).toMatchObject({ rows: 16, columns: 8, alongK: true });
    expect(shipped(adapter("discrete"), linear(4096, 4096, 4096)).kernel).toMatchObject({ rows: 8, columns: 8, depth: 8, alongK: true });
    expect(shipped(facts, { ...linear(4096, 4096, 4096), transposeA: true }).kernel).not.toHaveProperty("alongK");
    expect(shipped(facts, linear(512, 384, 384))).toMatchObject({ kernel: { rows: 4, columns: 4, alongK: true }, splits: 1 });
    expect(shipped(facts, linear(512, 384, 1536)).splits).toBe(3);
    expect(shipped(facts, linear(2048, 384, 1536)).splits).toBe(1);
  });

  it("gives few rows kernels of their own where the weight lies [N, K]", () => {
    const decode = (m: number, k = 1024): MatmulShape => ({ ...shape(m, 512, k), transposeB: true });
    const withSubgroups = (least: number) => ({ ...adapter("discrete", "", ["subgroups"]), subgroupMinSize: least });
    expect(shipped(lavapipe, decode(1)).kernel).toMatchObject({ kind: "register", rows: 1 });
    expect(shipped(lavapipe, shape(3, 512, 1024)).kernel).toMatchObject({ kind: "register", rows: 4 });
    expect(shipped(withSubgroups(32), decode(1))).toEqual({ name: "gemv/1/subgroup", kernel: { kind: "gemv", rows: 1, reduce: "subgroup" }, splits: 1 });
    expect(shipped(withSubgroups(8), decode(3)).kernel).toEqual({ kind: "gemv", rows: 4, reduce: "workgroup" });
    expect(shipped(withSubgroups(32), decode(9)).kernel.kind).toBe("workgroup");
    expect(shipped(withSubgroups(32), decode(1, 1022)).kernel.kind).toBe("workgroup");
    expect(shipped(withSubgroups(32), shape(1, 512, 1024)).kernel.kind).toBe("workgroup");
  });

  it("takes matrix units for weights in fewer bits alone, where their subgroups have one size", () => {
    const units = { ...adapter("discrete", "", ["subgroups", "shader-f16", "chromium-experimental-subgroup-matrix"]), subgroupMinSize: 32, subgroupMaxSize: 32, maxComputeWorkgroupStorageSize: 49152 };
    const linear = (m: number, n: number): MatmulShape => ({ ...shape(m, n, 1024), transposeB: true });
    expect(shipped(units, linear(512, 512), "f16").kernel).toEqual({ kind: "subgroup-matrix", tileRows: 128, tileColumns: 128, depth: 32, subgroupSize: 32 });
    expect(shipped(units, linear(100, 512), "q4_0").kernel).toMatchObject({ kind: "subgroup-matrix", tileRows: 64 });
    expect(shipped({ ...units, maxComputeWorkgroupStorageSize: 16384 }, linear(512, 512), "f16").kernel).toMatchObject({ kind: "subgroup-matrix", tileRows: 64 });
    expect(shipped(units, linear(512, 512)).kernel.kind).toBe("workgroup");
    expect(shipped(units, shape(512, 512, 1024), "f16").kernel.kind).toBe("workgroup");
    expect(shipped({ ...units, subgroupMaxSize: 64 }, linear(512, 512), "f16").kernel.kind).toBe("workgroup");
    expect(shipped({ ...units, features: new Set(["subgroups"]) }, linear(512, 512), "f16").kernel.kind).toBe("workgroup");
  });

  it("leaves tiny and thin products to the naive kernel", () => {
    expect(shipped(lavapipe, shape(32, 2, 128)).kernel.kind).toBe("naive");
    expect(shipped(lavapipe, shape(8, 8, 8)).kernel.kind).toBe("naive");
  });
});

describe("matmulDesigns, to be tried", () => {
  const adapters = [lavapipe, adapter("software"), adapter("discrete"), adapter("integrated"), { ...adapter("unknown"), maxComputeWorkgroupStorageSize: 1024 }];
  const sizes = [shape(512, 512, 512), shape(1, 4096, 4096), shape(16, 64, 4096), shape(100, 3, 700), shape(64, 64, 64, 48)];

  it.each(adapters)("are a handful, each once, and all within the limits", (facts) => {
    for (const size of sizes) {
      const designs = matmulDesigns(facts, size);
      const names = designs.map(({ name }) => name);
      expect(names.length).toBeLessThanOrEqual(8);
      expect(new Set(names).size).toBe(names.length);
      expect(designs.every(({ kernel }) => kernel.kind !== "register" || kernel.share === "none" || facts.features.has("subgroups"))).toBe(true);
      expect(designs.every(({ kernel }) => kernel.kind !== "workgroup" || workgroupTileBytes(kernel) <= facts.maxComputeWorkgroupStorageSize)).toBe(true);
    }
  });

  it("leave nothing to choose where a product is over before it is timed", () => {
    expect(matmulDesigns(lavapipe, shape(8, 8, 8))).toHaveLength(1);
    expect(matmulDesigns(lavapipe, shape(0, 8, 8))).toHaveLength(1);
  });

  it("share a bucket where sizes are alike and operands lie alike", () => {
    expect(matmulBucket(shape(500, 384, 1536))).toBe("m512 n512 k2048 NN");
    expect(matmulBucket({ ...shape(64, 64, 32, 96), transposeB: true, sharesA: true })).toBe("m64 n64 k32 NT b128 one a");
  });
});
