import type { BufferPool, PooledBuffer } from "../memory/pool.ts";
import { BufferUsage } from "../memory/usage.ts";

/**
 * The buffers that hold activations, shared by all plans of a device: a queue runs one submission after the other, so
 * plan B may overwrite what plan A left. Slot i is as large as the largest plan's slot i.
 */
export class Workspace {
  private buffers: PooledBuffer[] = [];
  private readonly wanted = new Map<object, readonly number[]>();
  /** Changes whenever a buffer was replaced, so that bind groups know to be rebuilt. */
  version = 0;

  constructor(private readonly pool: BufferPool) {}

  /** Makes room for `slots` (largest first) until `release(owner)`. */
  reserve(owner: object, slots: readonly number[]): void {
    this.wanted.set(owner, slots);
    slots.forEach((bytes, i) => {
      const held = this.buffers[i];
      if (held && held.sizeBytes >= bytes) return;
      held?.release();
      this.buffers[i] = this.pool.allocate(`workspace/${i}`, bytes, BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST);
      this.version++;
    });
  }

  /** Gives back what only `owner` needed. */
  release(owner: object): void {
    if (!this.wanted.delete(owner)) return;
    if (!this.pool.usable) {
      for (const buffer of this.buffers) buffer.release();
      this.buffers = [];
      return;
    }
    const plans = [...this.wanted.values()];
    const count = Math.max(0, ...plans.map((slots) => slots.length));
    const kept: PooledBuffer[] = [];
    this.buffers.forEach((buffer, i) => {
      const needed = Math.max(0, ...plans.map((slots) => slots[i] ?? 0));
      if (i < count && buffer.sizeBytes === needed) {
        kept.push(buffer);
        return;
      }
      buffer.release();
      this.version++;
      if (i < count) kept.push(this.pool.allocate(`workspace/${i}`, needed, BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST));
    });
    this.buffers = kept;
  }

  buffer(slot: number): GPUBuffer {
    return this.buffers[slot]!.buffer;
  }
}
