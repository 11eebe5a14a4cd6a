import type { Command } from "../program/plan.ts";

type Dispatch = Extract<Command, { kind: "dispatch" }>;

/** A command with its pipeline and buffers found, ready to be encoded any number of times. */
export type RecordedCommand =
  | { readonly kind: "dispatch"; readonly spec: Dispatch; readonly pipeline: GPUComputePipeline; readonly bindGroup: GPUBindGroup }
  | { readonly kind: "copy"; readonly from: BufferPlace; readonly to: BufferPlace; readonly bytes: number };

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
