import { politely } from "../device/polite-wait.ts";
import { BufferUsage, MapMode } from "../memory/usage.ts";
import { encodeDispatch, encodeTransfer, type RecordedCommand } from "../webgpu/recorded.ts";
import type { WebGpuDevice } from "../webgpu/device.ts";
import type { Times } from "./report.ts";

/** WebGPU's largest query set. */
const MAX_QUERIES = 4096;
const BYTES_PER_QUERY = 8;

/**
 * One run, each command in a pass of its own between two timestamps of the GPU. All is submitted before this first awaits.
 *
 * Implementations quantise timestamps, to 65,536 ns in Dawn: a single short dispatch says little, the mean of many runs does.
 *
 * @param expectedMs what the run takes, as far as known
 */
export async function timeByTimestamps(device: WebGpuDevice, commands: readonly RecordedCommand[], expectedMs: number): Promise<Times> {
  const { gpu } = device;
  using scope = gpu.pool.scope();
  const bytes = 2 * commands.length * BYTES_PER_QUERY;
  const resolved = scope.allocate("profile/timestamps", bytes, BufferUsage.QUERY_RESOLVE | BufferUsage.COPY_SRC).buffer;
  const staging = scope.allocate("profile/timestamps/readback", bytes, BufferUsage.MAP_READ | BufferUsage.COPY_DST).buffer;
  const querySets: GPUQuerySet[] = [];
  try {
    for (let first = 0; first < commands.length; first += MAX_QUERIES / 2) {
      const batch = commands.slice(first, first + MAX_QUERIES / 2);
      const querySet = gpu.device.createQuerySet({ label: "profile", type: "timestamp", count: 2 * batch.length });
      querySets.push(querySet);
      const encoder = gpu.device.createCommandEncoder({ label: "profile" });
      batch.forEach((command, i) => encodeTimed(encoder, querySet, 2 * i, command));
      encoder.resolveQuerySet(querySet, 0, 2 * batch.length, resolved, 2 * first * BYTES_PER_QUERY);
      gpu.device.queue.submit([encoder.finish()]);
    }
    const encoder = gpu.device.createCommandEncoder({ label: "profile/readback" });
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
    gpu.device.queue.submit([encoder.finish()]);
    await politely(gpu.profile, expectedMs);
    await gpu.guardLost(staging.mapAsync(MapMode.READ));
    const nanoseconds = new BigUint64Array(staging.getMappedRange().slice(0));
    staging.unmap();
    const origin = nanoseconds[0] ?? 0n;
    const ms = (query: number) => Number(nanoseconds[query]! - origin) / 1e6;
    // A GPU may reset its clock between two queries.
    return commands.map((_, i) => ({ startMs: ms(2 * i), ms: Math.max(0, ms(2 * i + 1) - ms(2 * i)) }));
  } finally {
    for (const querySet of querySets) querySet.destroy();
  }
}

function encodeTimed(encoder: GPUCommandEncoder, querySet: GPUQuerySet, query: number, command: RecordedCommand): void {
  const { kind } = command;
  if (kind === "dispatch") {
    const pass = encoder.beginComputePass({ label: command.spec.kernel.label, timestampWrites: { querySet, beginningOfPassWriteIndex: query, endOfPassWriteIndex: query + 1 } });
    encodeDispatch(pass, command);
    pass.end();
    return;
  }
  // Only passes write timestamps: two empty ones stand around a copy.
  encoder.beginComputePass({ label: kind, timestampWrites: { querySet, beginningOfPassWriteIndex: query } }).end();
  encodeTransfer(encoder, command);
  encoder.beginComputePass({ label: kind, timestampWrites: { querySet, endOfPassWriteIndex: query + 1 } }).end();
}
