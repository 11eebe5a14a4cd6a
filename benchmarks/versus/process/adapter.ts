import { existsSync, readFileSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { HeddleError, openDevice, WebGpuDevice } from "@heddle/kernels";

/** The one adapter of a run. */
export interface SharedAdapter {
  readonly name: string;
  readonly software: boolean;
  /** For processes that are to find this adapter, whatever library they use. */
  readonly environment: NodeJS.ProcessEnv;
  /** File name of the driver that a process on this adapter has loaded; null where none was chosen. */
  readonly driverLibrary: string | null;
}

/** The adapter that Heddle would take, by HEDDLE_ADAPTER, VK_DRIVER_FILES or itself. Throws NO_ADAPTER with the fix. */
export async function sharedAdapter(): Promise<SharedAdapter> {
  const device = await openDevice({ device: "webgpu" });
  if (!(device instanceof WebGpuDevice)) throw new HeddleError("NO_ADAPTER", "[bench:versus] found no WebGPU device");
  const { profile, source } = device.gpu;
  device.dispose();
  return { name: profile.description, software: profile.kind === "software", ...driverOf(source, process.env) };
}

/** @param source as `Gpu.source`: a driver's json, alone or after `VK_DRIVER_FILES=`, or other words */
export function driverOf(source: string, environment: NodeJS.ProcessEnv): Pick<SharedAdapter, "environment" | "driverLibrary"> {
  // Toggles reach Heddle's Dawn only.
  const { HEDDLE_DAWN_TOGGLES: _, HEDDLE_DEVICE: __, ...rest } = environment;
  const icd = /^(?:VK_DRIVER_FILES=)?([^=]+\.json)$/.exec(source)?.[1];
  if (icd === undefined || icd.includes(delimiter) || !existsSync(icd)) return { environment: rest, driverLibrary: null };
  const { ICD } = JSON.parse(readFileSync(icd, "utf8")) as { ICD: { library_path: string } };
  // Where SwiftShader comes with a browser, so does the loader that reads its json.
  const loader = existsSync(join(dirname(icd), "libvulkan.so.1")) ? [dirname(icd)] : [];
  const libraries = [rest["LD_LIBRARY_PATH"], ...loader].filter(Boolean).join(delimiter);
  return {
    environment: { ...rest, VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd, ...(libraries && { LD_LIBRARY_PATH: libraries }) },
    driverLibrary: basename(ICD.library_path),
  };
}
