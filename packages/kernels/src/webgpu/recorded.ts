import type { Command } from "../program/plan.ts";

type Dispatch = Extract<Command, { kind: "dispatch" }>;

/** A command with its pipeline and buffers found, ready to be encoded any number of times. */
export type RecordedCommand = { readonly kind: "dispatch"; readonly spec: Dispatch; readonly pipeline: GPUComputePipeline; readonly bindGroup: GPUBindGroup } | Transfer;

/** What stands between passes. */
export type Transfer =
  | { readonly kind: "copy"; readonly from: BufferPlace; readonly to: BufferPlace; readonly bytes: number }
  | { readonly kind: "clear"; readonly what: BufferPlace; readonly bytes: number };

export interface BufferPlace {
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

export function encodeDispatch(pass: GPUComputePassEncoder, { spec, pipeline, bindGroup }: Extract<RecordedCommand, { kind: "dispatch" }>): void {
  const [x, y, z] = spec.workgroups;
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(x, y, z);
}

export function encodeTransfer(encoder: GPUCommandEncoder, transfer: Transfer): void {
  if (transfer.bytes === 0) return;
  if (transfer.kind === "clear") encoder.clearBuffer(transfer.what.buffer, transfer.what.offset, transfer.bytes);
  else encoder.copyBufferToBuffer(transfer.from.buffer, transfer.from.offset, transfer.to.buffer, transfer.to.offset, transfer.bytes);
}
