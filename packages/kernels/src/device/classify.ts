import type { AdapterProfile } from "./profile.ts";

/** What WebGPU tells about an adapter. */
export type AdapterInfo = Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description"> & { readonly isFallbackAdapter?: boolean };

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|software|\bwarp\b|basic render/i;
const INTEGRATED_VENDORS = new Set(["apple", "arm", "qualcomm", "img-tec", "samsung", "broadcom"]);

/** Everything that an adapter says of itself in one line, to search in. */
export function adapterText({ vendor, architecture, device, description }: AdapterInfo): string {
  return [description, vendor, architecture, device].filter(Boolean).join(" ");
}

/** For people. */
export function adapterName({ vendor, architecture, device, description }: AdapterInfo): string {
  return description || device || [vendor, architecture].filter(Boolean).join(" ") || "an adapter that hides its name";
}

export function isSoftware(info: AdapterInfo): boolean {
  return info.isFallbackAdapter === true || SOFTWARE.test(adapterText(info));
}

/** The class that kernels are chosen by. Names decide, because WebGPU tells no more: wrong guesses cost speed, never results. */
export function classify(info: AdapterInfo): AdapterProfile["kind"] {
  if (isSoftware(info)) return "software";
  const vendor = info.vendor.toLowerCase();
  const text = adapterText(info);
  if (INTEGRATED_VENDORS.has(vendor)) return "integrated";
  if (vendor === "nvidia" || /nvidia/i.test(text)) return /tegra|orin|xavier|jetson/i.test(text) ? "integrated" : "discrete";
  if (vendor === "intel") return info.architecture === "xe-2hpg" || info.architecture === "xe-hpg" || /\barc\b.*\b[ab]\d{3}/i.test(text) ? "discrete" : "integrated";
  if (vendor === "amd") return classifyAmd(info);
  return "unknown";
}

/** AMD sells both under the same architectures: "Radeon RX 7900" and "Radeon Pro" are cards, "Radeon 780M" and "Radeon Graphics" are not. */
function classifyAmd({ description, device }: AdapterInfo): AdapterProfile["kind"] {
  const name = `${description} ${device}`;
  if (/radeon\W*(\(tm\))?\W*(rx|pro|vii)\b|instinct|firepro/i.test(name)) return "discrete";
  return /radeon.*(graphics|\d{3}m)\b|\bapu\b/i.test(name) ? "integrated" : "unknown";
}

/** What the experimental feature of this name adds to an adapter's info. */
interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

const SUBGROUP_MATRIX = "chromium-experimental-subgroup-matrix";

/** Features by which kernels may be chosen: matrix units where they multiply f16 matrices of 16 × 16 × 16 with f32 sums. */
function usableFeatures(features: ReadonlySet<string>, info: GPUAdapterInfo): Set<string> {
  const usable = new Set(features);
  const { subgroupMatrixConfigs = [] } = info as { subgroupMatrixConfigs?: readonly SubgroupMatrixConfig[] };
  const fits = [...subgroupMatrixConfigs].some(({ componentType, resultComponentType, M, N, K }) => componentType === "f16" && resultComponentType === "f32" && M === 16 && N === 16 && K === 16);
  if (!fits || !features.has("shader-f16")) usable.delete(SUBGROUP_MATRIX);
  return usable;
}

/** The profile of an open device (what it may use), or of an adapter (what it has). */
export function profileOf({ features, limits }: Pick<GPUDevice, "features" | "limits">, info: GPUAdapterInfo): AdapterProfile {
  const hasSubgroups = features.has("subgroups");
  return {
    kind: classify(info),
    vendor: info.vendor,
    architecture: info.architecture,
    description: adapterName(info),
    features: usableFeatures(features, info),
    subgroupMinSize: hasSubgroups ? info.subgroupMinSize : 0,
    subgroupMaxSize: hasSubgroups ? info.subgroupMaxSize : 0,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxBufferSize: limits.maxBufferSize,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    minStorageBufferOffsetAlignment: limits.minStorageBufferOffsetAlignment,
    minUniformBufferOffsetAlignment: limits.minUniformBufferOffsetAlignment,
  };
}
