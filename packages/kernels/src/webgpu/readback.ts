import { politely } from "../device/polite-wait.ts";
import { BufferUsage, MapMode } from "../memory/usage.ts";
import { arrayOf, copyBytes, dataBytes, storageBytes, type HostTensor, type TensorType } from "../program/types.ts";
import type { WebGpuDevice } from "./device.ts";

/** Copies tensors back in one submission and one map. */
export async function readBuffers(device: WebGpuDevice, sources: readonly { buffer: GPUBuffer; offset: number; type: TensorType }[]): Promise<HostTensor["data"][]> {
  const { gpu } = device;
  const offsets: number[] = [];
  let total = 0;
  for (const { type } of sources) {
    offsets.push(total);
    total += storageBytes(type);
  }
  const staging = gpu.pool.allocate("readback", total, BufferUsage.MAP_READ | BufferUsage.COPY_DST);
  try {
    const encoder = gpu.device.createCommandEncoder({ label: "readback" });
    sources.forEach(({ buffer, offset, type }, i) => {
      const bytes = copyBytes(type);
      if (bytes > 0) encoder.copyBufferToBuffer(buffer, offset, staging.buffer, offsets[i]!, bytes);
    });
    gpu.device.queue.submit([encoder.finish()]);
    device.traffic.submissions++;
    return await mapAndCopy(device, staging.buffer, sources.map(({ type }, i) => ({ type, offset: offsets[i]! })));
  } finally {
    staging.release();
  }
}

/** Waits for `staging` and with it for all that was queued before, copies its pieces out and unmaps it. */
export async function mapAndCopy(device: WebGpuDevice, staging: GPUBuffer, pieces: readonly { type: TensorType; offset: number }[]): Promise<HostTensor["data"][]> {
  const { gpu } = device;
  device.traffic.readbacks++;
  const startMs = performance.now();
  await politely(gpu.profile, device.clock.expectedMs);
  const awakeMs = performance.now();
  await gpu.guardLost(staging.mapAsync(MapMode.READ));
  device.clock.done(awakeMs - startMs, performance.now() - awakeMs);
  const bytes = staging.getMappedRange();
  const results = pieces.map(({ type, offset }) => arrayOf(type.dtype, bytes.slice(offset, offset + dataBytes(type))));
  staging.unmap();
  return results;
}
