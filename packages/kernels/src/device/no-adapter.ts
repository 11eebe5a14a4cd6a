import { HeddleError } from "../errors.ts";
import { hostProcess } from "./environment.ts";

const FIXES: Readonly<Record<string, string>> = {
  linux:
    "Install the GPU's Vulkan driver; or, for a software adapter, run `npm i -D @sparticuz/chromium@147.0.0` (x64, needs no root), or `apt install chromium`, or Mesa 25 or newer: `apt install -t bookworm-backports mesa-vulkan-drivers`",
  darwin: "WebGPU needs macOS 12 or newer with Metal, which some virtual machines lack",
  win32: "WebGPU needs Windows 10 or newer with Direct3D 12; update the graphics driver",
  browser:
    "Use Chrome or Edge 113, Firefox 141, Safari 26 or newer, over https or on localhost; start Chrome on Linux with --enable-unsafe-webgpu --enable-features=Vulkan; chrome://gpu tells why WebGPU is off",
};

const FALLBACK = 'Or run on the CPU, slowly, with device: "reference" or HEDDLE_DEVICE=reference';

function fix(): string {
  return FIXES[hostProcess?.platform ?? "browser"] ?? "WebGPU runs on Linux, macOS, Windows and in browsers";
}

/** @param found what was tried and did not do, a phrase each */
export function noAdapter(found: readonly string[]): HeddleError {
  return new HeddleError("NO_ADAPTER", `[device] no WebGPU adapter found${found.length > 0 ? ` (${found.join("; ")})` : ""}. ${fix()}. ${FALLBACK}`);
}

export function noSuchAdapter(wish: string, found: readonly string[]): HeddleError {
  const offer = found.length > 0 ? `Found: ${found.join("; ")}. Name one of these` : "Found no driver for it. Choose another";
  return new HeddleError("NO_ADAPTER", `[device] no adapter is called "${wish}" (HEDDLE_ADAPTER or the option \`adapter\`). ${offer}, or leave it out. To add one: ${fix()}`);
}
