import type { Kernel } from "./kernel.ts";
import { bytesPerElement, storageBytes, type TensorType } from "./types.ts";

/** Memory that a dispatch binds: the bytes of `type` in one storage, known to the planner by its number. Views share a storage. */
export interface BufferRef {
  readonly storage: number;
  readonly type: TensorType;
  /** Where the tensor begins in its storage: a multiple of the adapter's `minStorageBufferOffsetAlignment`. 0 where absent. */
  readonly offsetBytes?: number;
}

/**
 * Part of a buffer: a tensor of `type` that begins `firstElement` elements after the start of `ref`. The caller sees to it that
 * the part begins on the adapter's `minStorageBufferOffsetAlignment` and ends inside.
 */
export function partOf(ref: BufferRef, firstElement: number, type: TensorType): BufferRef {
  return { storage: ref.storage, type, offsetBytes: (ref.offsetBytes ?? 0) + firstElement * bytesPerElement(type.dtype) };
}

/** The least part of a storage that holds all of `refs`, as f32: each of them lies in that storage. */
export function spanOf(refs: readonly BufferRef[]): BufferRef {
  const offsetBytes = refs.reduce((least, ref) => Math.min(least, ref.offsetBytes ?? 0), Infinity);
  const end = refs.reduce((most, ref) => Math.max(most, (ref.offsetBytes ?? 0) + storageBytes(ref.type)), 0);
  return { storage: refs[0]!.storage, type: { dtype: "f32", shape: [(end - offsetBytes) / bytesPerElement("f32")] }, offsetBytes };
}

/** Whether any two of `refs` have bytes in common. */
export function overlap(refs: readonly BufferRef[]): boolean {
  const begin = ({ offsetBytes = 0 }: BufferRef) => offsetBytes;
  const end = (ref: BufferRef) => begin(ref) + storageBytes(ref.type);
  return refs.some((a, i) => refs.slice(i + 1).some((b) => a.storage === b.storage && begin(a) < end(b) && begin(b) < end(a)));
}

/** Where a tensor begins, to be compared. */
export const placeKey = ({ storage, offsetBytes = 0 }: BufferRef): string => `${storage}@${offsetBytes}`;

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
