import { politely } from "../device/polite-wait.ts";
import { BufferUsage, MapMode } from "../memory/usage.ts";
import { BYTES_PER_ELEMENT, sizeOf, type HostTensor, type TensorType } from "../program/types.ts";
import type { WebGpuDevice } from "./device.ts";

/** Copies whole buffers back in one submission and one map. */
export async function readBuffers(device: WebGpuDevice, sources: readonly { buffer: GPUBuffer; type: TensorType }[]): Promise<HostTensor["data"][]> {
  const { gpu } = device;
  const offsets: number[] = [];
  let total = 0;
  for (const { type } of sources) {
    offsets.push(total);
    total += Math.ceil((sizeOf(type.shape) * BYTES_PER_ELEMENT) / 16) * 16;
  }
  const staging = gpu.pool.allocate("readback", Math.max(16, total), BufferUsage.MAP_READ | BufferUsage.COPY_DST);
  try {
    const encoder = gpu.device.createCommandEncoder({ label: "readback" });
    sources.forEach(({ buffer, type }, i) => {
      const bytes = sizeOf(type.shape) * BYTES_PER_ELEMENT;
      if (bytes > 0) encoder.copyBufferToBuffer(buffer, 0, staging.buffer, offsets[i]!, bytes);
    });
    gpu.device.queue.submit([encoder.finish()]);
    device.traffic.submissions++;
    return await mapAndCopy(device, staging.buffer, sources.map(({ type }, i) => ({ type, offset: offsets[i]! })), 0);
  } finally {
    staging.release();
  }
}

/**
 * Waits for `staging`, copies its pieces out and unmaps it.
 *
 * @param expectedMs how long the queued work will probably take
 */
export async function mapAndCopy(device: WebGpuDevice, staging: GPUBuffer, pieces: readonly { type: TensorType; offset: number }[], expectedMs: number): Promise<HostTensor["data"][]> {
  const { gpu } = device;
  device.traffic.readbacks++;
  await politely(gpu.profile, expectedMs);
  await gpu.guardLost(staging.mapAsync(MapMode.READ));
  const bytes = staging.getMappedRange();
  const results = pieces.map(({ type, offset }) => {
    const size = sizeOf(type.shape);
    const copy = bytes.slice(offset, offset + size * BYTES_PER_ELEMENT);
    return type.dtype === "f32" ? new Float32Array(copy) : type.dtype === "i32" ? new Int32Array(copy) : new Uint32Array(copy);
  });
  staging.unmap();
  return results;
}
