import { CpuDevice, type CpuDeviceOptions } from "../cpu/device.ts";
import { HeddleError } from "../errors.ts";
import { ReferenceDevice } from "../reference/device.ts";
import { chooseDevice, type ChoiceOptions } from "./choose.ts";
import type { Device } from "./device.ts";
import { environment } from "./environment.ts";
import { openGpu } from "./gpu.ts";
import { openWebGpu, type OpenWebGpuOptions } from "./open-webgpu.ts";

export interface OpenDeviceOptions extends OpenWebGpuOptions, CpuDeviceOptions, ChoiceOptions {
  /**
   * `auto`, the default: the adapter or device that is named, or a real GPU, else the faster of `cpu` and WebGPU in software,
   * by `trial`. HEDDLE_DEVICE sets it where the option is left out.
   */
  device?: DeviceName;
}

const DEVICE_NAMES = ["auto", "webgpu", "cpu", "reference"] as const;
export type DeviceName = (typeof DEVICE_NAMES)[number];

/**
 * Opens the place where programs run. Throws NO_ADAPTER with the fix for this system where WebGPU was asked for and there is
 * none, PACKAGE_MISSING where `cpu` was and onnxruntime is not installed; INVALID_ARGUMENT for an unknown name.
 */
export async function openDevice(options: OpenDeviceOptions = {}): Promise<Device> {
  const { device = environment("HEDDLE_DEVICE") ?? "auto" } = options;
  if (!isDeviceName(device)) throw new HeddleError("INVALID_ARGUMENT", `[device] no device is called "${device}"; choose ${DEVICE_NAMES.join(", ")}, in the option \`device\` or in HEDDLE_DEVICE`);
  if (device === "auto") return chooseDevice(options);
  if (device === "cpu") return CpuDevice.open(options);
  if (device === "reference") return new ReferenceDevice();
  return openWebGpu(await openGpu(options), options);
}

function isDeviceName(name: string): name is DeviceName {
  return (DEVICE_NAMES as readonly string[]).includes(name);
}
