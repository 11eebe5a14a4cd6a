import type { State } from "../device/device.ts";
import { Arena, type ArenaPart } from "../memory/arena.ts";
import { BufferUsage } from "../memory/usage.ts";
import { storageBytes, type HostTensor, type TensorType } from "../program/types.ts";
import { checkStateData } from "../reference/device.ts";
import type { WebGpuDevice } from "./device.ts";

/** A state in a GPU buffer, its own or one that it shares with states made together with it. */
export class WebGpuState implements State {
  disposed = false;

  private constructor(
    readonly device: WebGpuDevice,
    readonly name: string,
    readonly type: TensorType,
    /** Where its bytes are. */
    readonly part: ArenaPart,
  ) {}

  /** States that lie one after another in memory, zeroed. */
  static create(device: WebGpuDevice, specs: readonly { readonly name: string; readonly type: TensorType }[]): WebGpuState[] {
    const { pool, profile } = device.gpu;
    const parts = Arena.allocate(
      pool,
      specs.map(({ name, type }) => ({ label: `state/${name}`, sizeBytes: storageBytes(type) })),
      { alignment: profile.minStorageBufferOffsetAlignment, usage: BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST },
    );
    return specs.map(({ name, type }, i) => new WebGpuState(device, name, type, parts[i]!));
  }

  get buffer(): GPUBuffer {
    return this.part.arena.buffer;
  }

  write(data: HostTensor["data"]): void {
    checkStateData(this, data);
    this.device.gpu.assertUsable();
    const { buffer, byteOffset, byteLength } = inWholeWords(data);
    this.device.gpu.device.queue.writeBuffer(this.buffer, this.part.offsetBytes, buffer, byteOffset, byteLength);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.part.release();
  }
}

/** WebGPU writes whole words: an odd number of f16s gets one more. */
function inWholeWords(data: HostTensor["data"]): HostTensor["data"] {
  if (data.byteLength % 4 === 0) return data;
  const padded = new Uint16Array(data.length + 1);
  padded.set(data);
  return padded;
}
