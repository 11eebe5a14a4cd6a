import { afterEach, describe, expect, it } from "vitest";
import { HeddleError } from "../errors.ts";
import { BufferUsage, MapMode } from "../memory/usage.ts";
import { acquireGpu } from "./adapter.ts";
import { openGpu, type Gpu, type GpuOptions } from "./gpu.ts";

const open: Gpu[] = [];
async function opened(options?: GpuOptions): Promise<Gpu> {
  const gpu = await openGpu(options);
  open.push(gpu);
  return gpu;
}
afterEach(() => open.splice(0).forEach((gpu) => gpu.dispose()));

const caught = async (work: () => unknown): Promise<HeddleError> => {
  try {
    await work();
  } catch (error) {
    if (HeddleError.isInstance(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

const DOUBLE = `
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3u) { x[id.x] = 2.0 * x[id.x]; }`;

/** Doubles four numbers on the GPU. */
async function double(gpu: Gpu, values: readonly [number, number, number, number]): Promise<number[]> {
  const { device, pool } = gpu;
  using scope = pool.scope();
  const x = scope.allocate("x", 16, BufferUsage.STORAGE | BufferUsage.COPY_DST | BufferUsage.COPY_SRC);
  const staging = scope.allocate("staging", 16, BufferUsage.MAP_READ | BufferUsage.COPY_DST);
  const pipeline = await gpu.withErrorScope("double", () => device.createComputePipelineAsync({ layout: "auto", compute: { module: device.createShaderModule({ code: DOUBLE }) } }));
  device.queue.writeBuffer(x.buffer, 0, new Float32Array(values));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: x.buffer } }] }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(x.buffer, 0, staging.buffer, 0, 16);
  device.queue.submit([encoder.finish()]);
  await gpu.guardLost(staging.buffer.mapAsync(MapMode.READ));
  return [...new Float32Array(staging.buffer.getMappedRange().slice(0))];
}

const adapters = process.platform === "linux" && process.arch === "x64" ? [undefined, "swiftshader"] : [undefined];

// With VK_DRIVER_FILES set there is only that driver to open.
describe.each(process.env["VK_DRIVER_FILES"] ? [undefined] : adapters)("a Gpu on adapter %s", (adapter) => {
  it("computes, and describes its adapter", async () => {
    const gpu = await opened({ adapter });
    expect(await double(gpu, [1, 2, -3, 0.5])).toEqual([2, 4, -6, 1]);
    const { profile, device } = gpu;
    expect(profile.description).not.toBe("");
    expect(profile.features.has("subgroups")).toBe(device.features.has("subgroups"));
    if (profile.features.has("subgroups")) expect(profile.subgroupMinSize).toBeGreaterThanOrEqual(4);
    expect(profile.maxStorageBufferBindingSize).toBe(device.limits.maxStorageBufferBindingSize);
    expect(profile.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
    if (adapter === "swiftshader") expect([profile.kind, profile.description]).toEqual(["software", expect.stringContaining("SwiftShader")]);
    expect(gpu.pool.liveBuffers()).toEqual([]);
  });

  it("throws DEVICE_LOST after its device is gone, and disposes of itself quietly", async () => {
    const gpu = await opened({ adapter });
    gpu.pool.allocate("x", 64, BufferUsage.STORAGE);
    gpu.device.destroy();
    await gpu.device.lost;
    const error = await caught(() => gpu.assertUsable());
    expect(error.code).toBe("DEVICE_LOST");
    expect(error.message).toMatch(/destroyed.*openDevice\(\)/);
    expect(gpu.isLost).toBe(true);
    expect((await caught(() => gpu.pool.allocate("y", 64, BufferUsage.STORAGE))).code).toBe("DEVICE_LOST");
    expect((await caught(() => gpu.withErrorScope("z", () => 1))).code).toBe("DEVICE_LOST");
    gpu.dispose();
    expect(gpu.pool.currentBytes).toBe(0);
  });

  it("tells of a loss to those who wait for a result", async () => {
    const gpu = await opened({ adapter });
    const staging = gpu.pool.allocate("staging", 64, BufferUsage.MAP_READ | BufferUsage.COPY_DST);
    const waiting = caught(() => gpu.guardLost(staging.buffer.mapAsync(MapMode.READ)));
    gpu.device.destroy();
    expect((await waiting).code).toBe("DEVICE_LOST");
  });

  it("names the label and the compiler's complaint when a shader is wrong", async () => {
    const gpu = await opened({ adapter });
    const build = () => gpu.device.createComputePipelineAsync({ layout: "auto", compute: { module: gpu.device.createShaderModule({ code: "@compute @workgroup_size(1) fn main() { let a = missing; }" }) } });
    const error = await caught(() => gpu.withErrorScope("matmul/quad", build));
    expect(error.code).toBe("GPU_VALIDATION");
    expect(error.message).toMatch(/^\[matmul\/quad\].*unresolved value 'missing'/s);
    gpu.assertUsable();
  });

  it("keeps scopes of concurrent calls apart", async () => {
    const gpu = await opened({ adapter });
    const bad = () => gpu.device.createBuffer({ size: 16, usage: BufferUsage.MAP_READ | BufferUsage.STORAGE });
    const good = () => gpu.device.createBuffer({ size: 16, usage: BufferUsage.STORAGE });
    const results = await Promise.allSettled([bad, good, bad, good].map((work, i) => gpu.withErrorScope(`call ${i}`, work)));
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected", "fulfilled"]);
    expect(String((results[2] as PromiseRejectedResult).reason)).toContain("[call 2]");
  });

  it("leaves no scope open when the watched call throws", async () => {
    const gpu = await opened({ adapter });
    await expect(
      gpu.withErrorScope("throws", () => {
        throw new TypeError("not the GPU's");
      }),
    ).rejects.toThrow("not the GPU's");
    await expect(gpu.device.popErrorScope()).rejects.toThrow(/scope/i);
  });

  it("throws an error that nobody caught at the next use, once", async () => {
    const gpu = await opened({ adapter });
    const { buffer } = gpu.pool.allocate("x", 16, BufferUsage.STORAGE | BufferUsage.COPY_DST);
    gpu.device.queue.writeBuffer(buffer, 8, new Float32Array(4));
    await gpu.device.queue.onSubmittedWorkDone();
    const error = await caught(() => gpu.assertUsable());
    expect(error.code).toBe("GPU_VALIDATION");
    expect(error.message).toContain("WriteBuffer");
    gpu.assertUsable();
  });
});

describe("a Gpu", () => {
  it("turns failed allocations into OUT_OF_MEMORY at the next use", async () => {
    const gpu = await opened();
    // The driver's report, as Dawn and browsers give it; no adapter can be made to run out of memory without harm to the machine.
    const { device } = gpu;
    const pop = device.popErrorScope.bind(device);
    let reports = 0;
    device.popErrorScope = async () => {
      const error = await pop();
      return reports++ === 1 ? ({ message: "vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY" } as GPUError) : error;
    };
    gpu.pool.allocate("state/embeddings", 1024, BufferUsage.STORAGE);
    const error = await caught(() => gpu.guardLost(device.queue.onSubmittedWorkDone()));
    expect(error.code).toBe("OUT_OF_MEMORY");
    expect(error.message).toMatch(/^\[state\/embeddings \(1024 bytes, 0 bytes held before\)\].*OUT_OF_DEVICE_MEMORY.*smaller batch/);
  });

  it("throws DISPOSED after dispose, which may be called twice", async () => {
    const gpu = await opened();
    gpu.dispose();
    gpu.dispose();
    expect((await caught(() => gpu.assertUsable())).code).toBe("DISPOSED");
  });

  it("leaves a device alone that the caller made", async () => {
    const { adapter, release } = await acquireGpu();
    const device = await adapter.requestDevice();
    const theirs = device.createBuffer({ size: 16, usage: BufferUsage.COPY_DST });
    const gpu = await openGpu({ gpuDevice: device });
    expect(await double(gpu, [1, 2, 3, 4])).toEqual([2, 4, 6, 8]);
    expect(gpu.profile.maxStorageBufferBindingSize).toBe(device.limits.maxStorageBufferBindingSize);
    gpu.dispose();
    device.pushErrorScope("validation");
    device.queue.writeBuffer(theirs, 0, new Float32Array(4));
    expect(await device.popErrorScope()).toBeNull();
    const again = await openGpu({ gpuDevice: device });
    expect(await double(again, [1, 1, 1, 1])).toEqual([2, 2, 2, 2]);
    again.dispose();
    device.destroy();
    release();
  });
});
