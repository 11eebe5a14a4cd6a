import { HeddleError } from "../errors.ts";

const FIXES: Readonly<Record<string, string>> = {
  linux:
    "Install the GPU's Vulkan driver; or, for a software adapter, run `npm i -D @sparticuz/chromium@147.0.0` (needs no root), or `apt install chromium`, or Mesa 25 or newer: `apt install -t bookworm-backports mesa-vulkan-drivers`",
  darwin: "WebGPU needs macOS 12 or newer with Metal; a virtual machine has none",
  win32: "WebGPU needs Windows 10 or newer with Direct3D 12; update the graphics driver",
  browser:
    "Use Chrome or Edge 113, Safari 26 or Firefox 141 or newer, over https or on localhost; in Chrome on Linux start with --enable-unsafe-webgpu --enable-features=Vulkan; chrome://gpu tells why WebGPU is off",
};

/** @param found what was tried and did not do, a phrase each */
export function noAdapter(platform: string, found: readonly string[], cause?: unknown): HeddleError {
  const fix = FIXES[platform] ?? "WebGPU runs on Linux, macOS, Windows and in browsers";
  const tried = found.length > 0 ? ` (${found.join("; ")})` : "";
  return new HeddleError("NO_ADAPTER", `[device] no WebGPU adapter found${tried}. ${fix}. Or run on the CPU, slowly, with device: "reference" or HEDDLE_DEVICE=reference`, { cause });
}
