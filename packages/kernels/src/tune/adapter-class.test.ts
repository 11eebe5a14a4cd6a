import { describe, expect, it } from "vitest";
import { adapterClass, type AdapterClass, type AdapterFacts } from "./adapter-class.ts";

const cases: [AdapterClass, Partial<AdapterFacts>][] = [
  ["lavapipe", { kind: "software", vendor: "mesa", architecture: "software", description: "llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)" }],
  ["swiftshader", { kind: "software", vendor: "google", architecture: "swiftshader", description: "SwiftShader driver 5.0.0" }],
  ["software", { kind: "software", vendor: "microsoft", description: "Microsoft Basic Render Driver" }],
  ["apple", { kind: "integrated", vendor: "apple", architecture: "metal-3" }],
  ["nvidia", { kind: "discrete", vendor: "nvidia", architecture: "hopper" }],
  ["nvidia", { kind: "discrete", description: "NVIDIA GeForce RTX 4090" }],
  ["amd", { kind: "discrete", vendor: "amd", architecture: "rdna-3" }],
  ["intel", { kind: "integrated", vendor: "intel", architecture: "xe" }],
  ["qualcomm", { kind: "integrated", vendor: "qualcomm", architecture: "adreno-7xx" }],
  ["arm", { kind: "integrated", vendor: "arm", architecture: "valhall" }],
  // Without names.
  ["nvidia", { subgroupMinSize: 32, subgroupMaxSize: 32 }],
  ["amd", { subgroupMinSize: 32, subgroupMaxSize: 64 }],
  ["intel", { subgroupMinSize: 8, subgroupMaxSize: 32 }],
  ["qualcomm", { subgroupMinSize: 64, subgroupMaxSize: 128 }],
  ["arm", { subgroupMinSize: 16, subgroupMaxSize: 16 }],
  ["unknown", {}],
];

describe("adapterClass", () => {
  it.each(cases)("%s: %o", (wanted, facts) => {
    expect(adapterClass({ kind: "unknown", vendor: "", architecture: "", description: "", subgroupMinSize: 0, subgroupMaxSize: 0, ...facts })).toBe(wanted);
  });
});
