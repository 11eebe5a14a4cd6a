import type { AdapterProfile } from "../device/profile.ts";

/** Adapters that want the same kernels. */
export type AdapterClass = "lavapipe" | "swiftshader" | "software" | "apple" | "nvidia" | "amd" | "intel" | "qualcomm" | "arm" | "unknown";

export type AdapterFacts = Pick<AdapterProfile, "kind" | "vendor" | "architecture" | "description" | "subgroupMinSize" | "subgroupMaxSize">;

/** By name, in this order. */
const NAMES: readonly (readonly [AdapterClass, RegExp])[] = [
  ["nvidia", /nvidia|geforce|quadro|tegra/i],
  ["apple", /apple/i],
  ["amd", /\bamd\b|radeon|\brdna|\bgcn-/i],
  ["intel", /intel|\barc\b/i],
  ["qualcomm", /qualcomm|adreno/i],
  ["arm", /\barm\b|\bmali\b/i],
];

/** The class whose defaults an adapter gets. A wrong guess costs speed, never results. */
export function adapterClass(adapter: AdapterFacts): AdapterClass {
  const text = `${adapter.vendor} ${adapter.architecture} ${adapter.description}`;
  if (adapter.kind === "software") {
    if (/llvmpipe|lavapipe/i.test(text)) return "lavapipe";
    return /swiftshader/i.test(text) ? "swiftshader" : "software";
  }
  return NAMES.find(([, pattern]) => pattern.test(text))?.[0] ?? bySubgroups(adapter);
}

/** Browsers may hide names, but not how many lanes run together. */
function bySubgroups({ subgroupMinSize, subgroupMaxSize }: AdapterFacts): AdapterClass {
  switch (`${subgroupMinSize}-${subgroupMaxSize}`) {
    case "32-32":
      return "nvidia";
    case "32-64":
    case "64-64":
      return "amd";
    case "8-32":
    case "16-32":
    case "8-16":
      return "intel";
    case "64-128":
    case "128-128":
      return "qualcomm";
    case "16-16":
      return "arm";
    default:
      return "unknown";
  }
}
