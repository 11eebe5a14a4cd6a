import { HeddleError, type ErrorCode } from "../errors.ts";
import { BufferPool } from "../memory/pool.ts";
import { acquireGpu, type AdapterOptions } from "./adapter.ts";
import { adapterName, profileOf } from "./classify.ts";
import { napping } from "./polite-wait.ts";
import type { AdapterProfile } from "./profile.ts";

export interface GpuOptions extends AdapterOptions {
  /** A device that the caller made, with the features and limits it was made with. It is never destroyed here. */
  gpuDevice?: GPUDevice;
}

/** Features that kernels can choose to use; asked for wherever the adapter has them. */
const USEFUL_FEATURES = ["subgroups", "shader-f16", "timestamp-query", "chromium-experimental-subgroup-matrix"] as GPUFeatureName[];

/** Limits to raise to what the adapter has: a device gets the specification's small defaults otherwise. */
const RAISED_LIMITS = [
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
] as const;
/** No kernel binds more; some drivers pay for room that stays empty. */
const MAX_STORAGE_BUFFERS = 16;

/** Lines of Dawn's own stack, of no use to a reader. */
const DAWN_STACK = /\n\s+at \S+ \([^)]*\)/g;

/** What the error scopes catch, and the code it becomes. */
const SCOPES: readonly (readonly [GPUErrorFilter, ErrorCode])[] = [
  ["validation", "GPU_VALIDATION"],
  ["out-of-memory", "OUT_OF_MEMORY"],
  ["internal", "GPU_VALIDATION"],
];

/**
 * Opens the best adapter found, or takes the caller's device. Throws NO_ADAPTER, and DEVICE_LOST where the adapter gives no
 * device.
 */
export async function openGpu({ gpuDevice, ...options }: GpuOptions = {}): Promise<Gpu> {
  if (gpuDevice) return new Gpu(gpuDevice, gpuDevice.adapterInfo, "the caller's device", () => {});
  const { adapter, source, release } = await acquireGpu(options);
  return openAdapter(adapter, source, release);
}

/** @param release called after the device was destroyed, or could not be made */
export async function openAdapter(adapter: GPUAdapter, source: string, release: () => void): Promise<Gpu> {
  try {
    const limits: Record<string, number> = Object.fromEntries(RAISED_LIMITS.map((name) => [name, adapter.limits[name]]));
    limits["maxStorageBuffersPerShaderStage"] = Math.min(MAX_STORAGE_BUFFERS, adapter.limits.maxStorageBuffersPerShaderStage);
    const device = await adapter.requestDevice({
      label: "heddle",
      requiredFeatures: USEFUL_FEATURES.filter((feature) => adapter.features.has(feature)),
      requiredLimits: limits,
    });
    return new Gpu(device, adapter.info, source, () => {
      device.destroy();
      release();
    });
  } catch (cause) {
    release();
    throw new HeddleError("DEVICE_LOST", `[device] ${adapterName(adapter.info)} gave no device: ${(cause as Error).message}. Other programs may hold the GPU: close them, or choose another adapter with HEDDLE_ADAPTER`, { cause });
  }
}

/** A GPUDevice with what went wrong on it made visible, its memory counted and its adapter described. */
export class Gpu {
  readonly profile: AdapterProfile;
  readonly pool: BufferPool;
  private lost: GPUDeviceLostInfo | null = null;
  private disposed = false;
  /** Errors that came after the call that caused them; thrown at the next use. */
  private readonly failures: HeddleError[] = [];
  /** Settles when the GPU has judged every call of `withDeferredErrors`. */
  private deferred: Promise<unknown> = Promise.resolve();
  private readonly onUncaptured = (event: GPUUncapturedErrorEvent): void => {
    event.preventDefault();
    this.failures.push(uncapturedError(event.error));
  };

  constructor(
    readonly device: GPUDevice,
    info: GPUAdapterInfo,
    /** Where the adapter was found: `navigator.gpu`, or a driver's path. */
    readonly source: string,
    private readonly close: () => void,
  ) {
    this.profile = profileOf(device, info);
    this.pool = new BufferPool(this);
    device.addEventListener("uncapturederror", this.onUncaptured);
    void device.lost.then((lost) => {
      this.lost = lost;
    });
  }

  get isLost(): boolean {
    return this.lost !== null;
  }

  /** Throws DISPOSED, DEVICE_LOST, or the error that earlier calls caused and nobody has seen yet. */
  assertUsable(): void {
    if (this.disposed) throw new HeddleError("DISPOSED", "[device] was disposed; open another one with openDevice()");
    if (this.lost) throw lostError(this.lost);
    // A buffer that got no memory makes every command that touches it invalid: the first cause is the one to tell.
    const failures = this.failures.splice(0);
    const failure = failures.find(({ code }) => code === "OUT_OF_MEMORY") ?? failures[0];
    if (failure) throw failure;
  }

  /** Keeps an error for the next `assertUsable`. */
  fail(error: HeddleError): void {
    if (!this.disposed) this.failures.push(error);
  }

  /**
   * Runs `work` and throws what the GPU says against it: GPU_VALIDATION, OUT_OF_MEMORY, DEVICE_LOST.
   * Only calls that `work` makes before its first `await` are watched: scopes of concurrent calls would mix otherwise.
   *
   * @param label named in the error
   */
  async withErrorScope<T>(label: string, work: () => T | Promise<T>): Promise<T> {
    this.assertUsable();
    const { result, errors } = this.scoped(label, work);
    const [outcome, failure] = await Promise.all([settle(result), errors]);
    if (this.lost) throw lostError(this.lost);
    if (failure) throw failure;
    if ("error" in outcome) throw asHeddleError(label, outcome.error);
    return outcome.value;
  }

  /** As `withErrorScope` for calls whose result is wanted at once: errors go to the next `assertUsable`. */
  withDeferredErrors<T>(label: string, work: () => T): T {
    const { result, errors } = this.scoped(label, work);
    const told = errors.then((failure) => failure && this.fail(failure));
    this.deferred = Promise.all([this.deferred, told]);
    return result;
  }

  /** Awaits a promise of the device, then does as `assertUsable`; a rejection because the device went away becomes DEVICE_LOST or DISPOSED. */
  async guardLost<T>(promise: Promise<T>): Promise<T> {
    try {
      const value = await napping(this.profile, promise);
      await this.deferred;
      // What was awaited may rest on a call that failed meanwhile.
      this.assertUsable();
      return value;
    } catch (error) {
      if (HeddleError.isInstance(error)) throw error;
      // The news of the loss can come a turn after the rejections it causes.
      await new Promise((resolve) => setTimeout(resolve));
      this.assertUsable();
      throw asHeddleError("device", error);
    }
  }

  /** Frees all buffers, and the device unless the caller made it. Twice does no harm. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.device.removeEventListener("uncapturederror", this.onUncaptured);
    this.pool.dispose();
    this.close();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private scoped<T>(label: string, work: () => T): { result: T; errors: Promise<HeddleError | null> } {
    for (const [filter] of SCOPES) this.device.pushErrorScope(filter);
    let result: T;
    let pops: Promise<GPUError | null>[] = [];
    try {
      result = work();
    } finally {
      pops = SCOPES.map(() => this.device.popErrorScope());
      // A lost device rejects its scopes; the loss is told elsewhere.
      pops.forEach((pop) => pop.catch(() => null));
    }
    const errors = Promise.allSettled(pops).then((popped) => {
      const codes = SCOPES.map(([, code]) => code).reverse();
      const failures = popped.map((pop, i) => (pop.status === "fulfilled" && pop.value ? gpuError(codes[i]!, label, pop.value.message) : null));
      return failures.find((failure) => failure !== null) ?? null;
    });
    return { result, errors };
  }
}

function settle<T>(result: T | Promise<T>): Promise<{ value: T } | { error: unknown }> {
  return Promise.resolve(result).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

function gpuError(code: ErrorCode, label: string, message: string, cause?: unknown): HeddleError {
  const fix =
    code === "OUT_OF_MEMORY"
      ? "Use a smaller batch or shorter sequences, dispose of what is no longer needed, or close other programs that use the GPU"
      : "This is a bug in a kernel or a limit that was not checked; please report it with this message and the adapter's name";
  return new HeddleError(code, `[${label}] the GPU reports: ${message.replaceAll(DAWN_STACK, "").trim()}. ${fix}`, { cause });
}

function uncapturedError(error: GPUError): HeddleError {
  const code = error.constructor.name === "GPUOutOfMemoryError" ? "OUT_OF_MEMORY" : "GPU_VALIDATION";
  return gpuError(code, "device", `an earlier command failed: ${error.message}`);
}

function asHeddleError(label: string, error: unknown): unknown {
  if (HeddleError.isInstance(error) || !(error instanceof Error) || error.name === "AbortError") return error;
  return gpuError("GPU_VALIDATION", label, error.message, error);
}

function lostError({ reason, message }: GPUDeviceLostInfo): HeddleError {
  return new HeddleError(
    "DEVICE_LOST",
    `[device] the GPU device was lost (${reason || "unknown reason"}: ${message.trim() || "no message"}). Open another one with openDevice() and load the parameters again; a driver's restart, sleep and too little memory are the usual causes`,
  );
}
