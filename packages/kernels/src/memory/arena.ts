import type { BufferPool, PooledBuffer } from "./pool.ts";

/** A range of an arena's buffer. */
export interface ArenaPart {
  readonly arena: Arena;
  readonly offsetBytes: number;
  /** What the part adds to the buffer's size. */
  readonly sizeBytes: number;
  /** Gives the part up. Once for each part. */
  release(): void;
}

export interface PartRequest {
  readonly label: string;
  readonly sizeBytes: number;
}

/** No arena is larger, so that memory comes free in pieces and a 128 MiB binding shows all of one. */
const MAX_ARENA_BYTES = 128 * 1024 * 1024;

/** One buffer for several tensors that are used together. They leave it one by one, and the last one frees it. */
export class Arena {
  private tenants: number;

  private constructor(
    private readonly pooled: PooledBuffer,
    parts: number,
  ) {
    this.tenants = parts;
  }

  get buffer(): GPUBuffer {
    return this.pooled.buffer;
  }

  /**
   * Parts in the order of the requests, in one buffer or, where the limits ask for it, in several. Throws what
   * `BufferPool.allocate` throws, and then holds nothing.
   *
   * @param alignment of the parts: the adapter's minStorageBufferOffsetAlignment
   */
  static allocate(pool: BufferPool, requests: readonly PartRequest[], { alignment, usage, maxBytes = MAX_ARENA_BYTES }: { alignment: number; usage: number; maxBytes?: number }): ArenaPart[] {
    const groups: (PartRequest & { offsetBytes: number })[][] = [];
    let end = Infinity;
    for (const request of requests) {
      // A part alone is as large as it asks; neighbours are whole multiples of the alignment.
      const sizeBytes = requests.length === 1 ? request.sizeBytes : Math.ceil(request.sizeBytes / alignment) * alignment;
      if (end + sizeBytes > maxBytes) {
        groups.push([]);
        end = 0;
      }
      groups.at(-1)!.push({ label: request.label, sizeBytes, offsetBytes: end });
      end += sizeBytes;
    }
    const parts: ArenaPart[] = [];
    try {
      for (const group of groups) {
        const last = group.at(-1)!;
        const label = group.length === 1 ? last.label : `${group[0]!.label} … ${last.label}`;
        const arena = new Arena(pool.allocate(label, last.offsetBytes + last.sizeBytes, usage), group.length);
        for (const { offsetBytes, sizeBytes } of group) parts.push({ arena, offsetBytes, sizeBytes, release: () => arena.release() });
      }
    } catch (error) {
      for (const part of parts) part.release();
      throw error;
    }
    return parts;
  }

  private release(): void {
    this.tenants--;
    if (this.tenants === 0) this.pooled.release();
  }
}
