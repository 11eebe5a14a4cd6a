import type { State } from "../device/device.ts";
import type { PooledBuffer } from "../memory/pool.ts";
import { BufferUsage } from "../memory/usage.ts";
import { storageBytes, type HostTensor, type TensorType } from "../program/types.ts";
import { checkStateData } from "../reference/device.ts";
import type { WebGpuDevice } from "./device.ts";

/** A state in a GPU buffer of its own. */
export class WebGpuState implements State {
  private readonly pooled: PooledBuffer;
  disposed = false;

  constructor(
    readonly device: WebGpuDevice,
    readonly name: string,
    readonly type: TensorType,
  ) {
    this.pooled = device.gpu.pool.allocate(`state/${name}`, storageBytes(type), BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST);
  }

  get buffer(): GPUBuffer {
    return this.pooled.buffer;
  }

  write(data: HostTensor["data"]): void {
    checkStateData(this, data);
    this.device.gpu.assertUsable();
    const { buffer, byteOffset, byteLength } = inWholeWords(data);
    this.device.gpu.device.queue.writeBuffer(this.buffer, 0, buffer, byteOffset, byteLength);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.pooled.release();
  }
}

/** WebGPU writes whole words: an odd number of f16s gets one more. */
function inWholeWords(data: HostTensor["data"]): HostTensor["data"] {
  if (data.byteLength % 4 === 0) return data;
  const padded = new Uint16Array(data.length + 1);
  padded.set(data);
  return padded;
}
