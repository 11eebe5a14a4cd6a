import { HeddleError } from "../errors.ts";
import type { AdapterProfile } from "../device/profile.ts";
import { BufferScope } from "./scope.ts";

/** What a pool needs of a device; a Gpu has it. */
export interface BufferSource {
  readonly device: Pick<GPUDevice, "createBuffer">;
  readonly profile: Pick<AdapterProfile, "maxBufferSize">;
  readonly isLost: boolean;
  assertUsable(): void;
  withDeferredErrors<T>(label: string, work: () => T): T;
}

/** A buffer that its pool counts. */
export interface PooledBuffer {
  readonly buffer: GPUBuffer;
  readonly label: string;
  readonly sizeBytes: number;
  /** Frees the memory and takes it off the count. Twice does no harm. Work already submitted may still use it. */
  release(): void;
}

/** Sizes are multiples of this: vec4 loads never straddle the end. */
export const BUFFER_ALIGNMENT_BYTES = 16;

const MEBI = 1024 * 1024;

/** Allocates buffers and counts every byte. Sizes are exact: what a plan predicted is what the pool counts. */
export class BufferPool {
  private readonly live = new Set<PooledBuffer>();
  private current = 0;
  private peak = 0;
  private disposed = false;

  constructor(private readonly source: BufferSource) {}

  get currentBytes(): number {
    return this.current;
  }

  /** The most that was held at once since the pool was made or `resetPeak` was called. */
  get peakBytes(): number {
    return this.peak;
  }

  /** False once the device was disposed of or lost: buffers can be released, and no more. */
  get usable(): boolean {
    return !this.disposed && !this.source.isLost;
  }

  resetPeak(): void {
    this.peak = this.current;
  }

  /**
   * A zeroed buffer of `sizeBytes`, rounded up to a multiple of 16 and at least 16. Throws LIMIT_EXCEEDED for more than the
   * adapter can hold in one piece; what kernels bind of it is the plan's concern. That memory has run out shows later, as OUT_OF_MEMORY at the device's next use.
   *
   * @param usage sum of BufferUsage's flags
   */
  allocate(label: string, sizeBytes: number, usage: number): PooledBuffer {
    if (this.disposed) throw new HeddleError("DISPOSED", `[${label}] its device was disposed; open another one with openDevice()`);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new HeddleError("INVALID_ARGUMENT", `[${label}] a buffer's size is a whole number of bytes; got ${sizeBytes}`);
    this.source.assertUsable();
    const size = Math.max(BUFFER_ALIGNMENT_BYTES, Math.ceil(sizeBytes / BUFFER_ALIGNMENT_BYTES) * BUFFER_ALIGNMENT_BYTES);
    this.checkLimits(label, size);
    const sized = `${label} (${formatBytes(size)}, ${formatBytes(this.current)} held before)`;
    const buffer = this.source.withDeferredErrors(sized, () => this.source.device.createBuffer({ label, size, usage }));
    const pooled: PooledBuffer = {
      buffer,
      label,
      sizeBytes: size,
      release: () => {
        if (!this.live.delete(pooled)) return;
        this.current -= size;
        buffer.destroy();
      },
    };
    this.live.add(pooled);
    this.current += size;
    this.peak = Math.max(this.peak, this.current);
    return pooled;
  }

  /** A group of buffers that are freed together, for `using`. */
  scope(): BufferScope {
    return new BufferScope(this);
  }

  /** Buffers not released yet, oldest first: what a leak test looks at. */
  liveBuffers(): { readonly label: string; readonly sizeBytes: number }[] {
    return [...this.live].map(({ label, sizeBytes }) => ({ label, sizeBytes }));
  }

  /** Bytes held under each label. */
  bytesByLabel(): Map<string, number> {
    const bytes = new Map<string, number>();
    for (const { label, sizeBytes } of this.live) bytes.set(label, (bytes.get(label) ?? 0) + sizeBytes);
    return bytes;
  }

  /** Frees everything; allocating afterwards throws DISPOSED. */
  dispose(): void {
    this.disposed = true;
    for (const buffer of this.live) buffer.release();
  }

  private checkLimits(label: string, size: number): void {
    const { maxBufferSize } = this.source.profile;
    if (size > maxBufferSize) {
      throw new HeddleError("LIMIT_EXCEEDED", `[${label}] needs a buffer of ${formatBytes(size)}; this adapter allows ${formatBytes(maxBufferSize)}. Use a smaller batch, or split the tensor`);
    }
  }
}

function formatBytes(bytes: number): string {
  return bytes < MEBI ? `${bytes} bytes` : `${(bytes / MEBI).toFixed(1)} MiB`;
}
