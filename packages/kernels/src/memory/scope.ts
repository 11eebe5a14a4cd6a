import type { BufferPool, PooledBuffer } from "./pool.ts";

/** Buffers that live exactly as long as a block: `using scope = pool.scope()`. */
export class BufferScope {
  private readonly buffers: PooledBuffer[] = [];

  constructor(private readonly pool: BufferPool) {}

  allocate(label: string, sizeBytes: number, usage: number): PooledBuffer {
    const buffer = this.pool.allocate(label, sizeBytes, usage);
    this.buffers.push(buffer);
    return buffer;
  }

  dispose(): void {
    for (const buffer of this.buffers.splice(0)) buffer.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
