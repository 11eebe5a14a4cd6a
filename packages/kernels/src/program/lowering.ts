import type { Kernel } from "./kernel.ts";
import type { TensorType } from "./types.ts";

/** Memory that a dispatch binds: one storage, known to the planner by `id`. Views of a tensor share its storage. */
export interface BufferRef {
  readonly storage: number;
  readonly type: TensorType;
}

/** One dispatch as an op asks for it. */
export interface DispatchSpec {
  readonly kernel: Kernel;
  /** In binding order: reads, then writes. */
  readonly buffers: readonly BufferRef[];
  readonly params?: Readonly<Record<string, number>>;
  readonly workgroups: readonly [number, number, number];
  /** Floating-point operations and bytes moved, for the profiler; both are the algorithm's, not the kernel's. */
  readonly flops: number;
  readonly bytes: number;
}
