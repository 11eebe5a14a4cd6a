import type { WebGpuDevice } from "@heddle/kernels";

/** Something to time, with what its algorithm needs at the least. */
export interface Work {
  readonly name: string;
  readonly shape: string;
  /** Floating-point operations of one repetition, as the field counts them. */
  readonly flops: number;
  /** Bytes read and written if each tensor is touched once; null for whole models, where nobody counts them. */
  readonly bytes: number | null;
  /**
   * The same program on the smallest batch, to time JavaScript with: queueing costs the same for any, and many runs fit into
   * the time. Null for single kernels.
   */
  readonly replayed: Work | null;
  /** Puts it on the device. */
  prepare(device: WebGpuDevice): Prepared;
}

export interface Prepared {
  /** Queues one repetition; resolves when it is queued, not when it is done. */
  queue(): Promise<unknown>;
  dispose(): void;
}
