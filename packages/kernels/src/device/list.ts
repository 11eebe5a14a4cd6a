import { CpuDevice } from "../cpu/device.ts";
import { HeddleError } from "../errors.ts";
import { matmul } from "../ops/matmul/op.ts";
import { sum } from "../ops/reduce/op.ts";
import { compile, hostTensor } from "../program/compile.ts";
import { adaptersOf, instances } from "./adapter.ts";
import { measureCeiling } from "./ceiling.ts";
import { fastestMs, takesAdapter } from "./choose.ts";
import { adapterName, profileOf } from "./classify.ts";
import { environment } from "./environment.ts";
import { openAdapter } from "./gpu.ts";
import type { AdapterProfile } from "./profile.ts";

/** An adapter that can be opened, for people and for bug reports. */
export interface DeviceListing {
  /** What HEDDLE_ADAPTER matches. */
  readonly name: string;
  readonly profile: AdapterProfile;
  /** `navigator.gpu`, `the system's Vulkan drivers`, or the path of its driver. */
  readonly source: string;
  /** Measured f32 multiply-adds, in GFLOP/s; null where `ceiling` was false or the adapter failed. */
  readonly ceilingGflops: number | null;
  /** Why the adapter could not be opened or measured. */
  readonly problem?: string;
}

/** The CPU by onnxruntime. */
export interface CpuListing {
  /** Packages and threads. */
  readonly name: string;
  /** A product of two matrices, in GFLOP/s; null where `ceiling` was false. */
  readonly matmulGflops: number | null;
}

export interface DeviceList {
  /** Adapters, best first: the first one without a problem is what `openDevice({ device: "webgpu" })` takes. */
  readonly devices: readonly DeviceListing[];
  /** Null where onnxruntime is not installed: `missing` says how to install it. */
  readonly cpu: CpuListing | null;
  /** What `openDevice()` takes where no model is measured. */
  readonly auto: "webgpu" | "cpu";
  /** Drivers that could not be tried, and why. */
  readonly missing: readonly string[];
}

/**
 * Every adapter that can be found here, each once. Never throws NO_ADAPTER: an empty list says it.
 *
 * @param options.ceiling measure each adapter's speed, up to a second each; default true
 */
export async function listDevices({ ceiling = true, signal }: { ceiling?: boolean; signal?: AbortSignal } = {}): Promise<DeviceList> {
  const devices = new Map<string, DeviceListing>();
  const missing: string[] = [];
  try {
    for await (const instance of instances(undefined)) {
      if ("missing" in instance) {
        missing.push(instance.missing);
        continue;
      }
      let adapters = 0;
      try {
        for await (const adapter of adaptersOf(instance)) {
          adapters++;
          signal?.throwIfAborted();
          const name = adapterName(adapter.info);
          if (!devices.has(name)) devices.set(name, await describe(name, adapter, instance.source, ceiling));
        }
      } finally {
        instance.release();
      }
      if (adapters === 0) missing.push(`${instance.source}: no adapter that WebGPU accepts`);
    }
  } catch (error) {
    if (!HeddleError.isInstance(error) || error.code !== "NO_ADAPTER") throw error;
    missing.push(error.message);
  }
  const cpu = await listCpu(ceiling).catch((error: unknown) => {
    if (!HeddleError.isInstance(error) || error.code !== "PACKAGE_MISSING") throw error;
    missing.push(error.message);
    return null;
  });
  const found = [...devices.values()];
  const adapter = found.find(({ problem }) => problem === undefined);
  return { devices: found, cpu, auto: cpu && !(adapter && takesAdapter(adapter.profile, environment("HEDDLE_ADAPTER"))) ? "cpu" : "webgpu", missing };
}

const CPU_MATRIX_SIZE = 768;
const CPU_REPEATS = 5;

async function listCpu(measured: boolean): Promise<CpuListing> {
  const device = await CpuDevice.open();
  try {
    if (!measured) return { name: device.description, matmulGflops: null };
    const a = hostTensor(new Float32Array(CPU_MATRIX_SIZE ** 2).fill(1), [CPU_MATRIX_SIZE, CPU_MATRIX_SIZE]);
    // One number comes back: what the products take is measured, not the way of a large result.
    using products = compile(device, "products", ({ a }) => ({ y: sum(matmul(matmul(matmul(matmul(a!, a!), a!), a!), a!)) }));
    return { name: device.description, matmulGflops: (4 * 2 * CPU_MATRIX_SIZE ** 3) / (await fastestMs(() => products.run({ a }), CPU_REPEATS)) / 1e6 };
  } finally {
    device.dispose();
  }
}

async function describe(name: string, adapter: GPUAdapter, source: string, ceiling: boolean): Promise<DeviceListing> {
  const listing = { name, source, profile: profileOf(adapter, adapter.info), ceilingGflops: null };
  if (!ceiling) return listing;
  try {
    const gpu = await openAdapter(adapter, source, () => {});
    try {
      return { ...listing, profile: gpu.profile, ceilingGflops: await measureCeiling(gpu) };
    } finally {
      gpu.dispose();
    }
  } catch (error) {
    return { ...listing, problem: (error as Error).message };
  }
}
