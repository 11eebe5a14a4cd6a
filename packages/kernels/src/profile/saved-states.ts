import type { State } from "../device/device.ts";
import type { BufferScope } from "../memory/scope.ts";
import { BufferUsage } from "../memory/usage.ts";
import { storageBytes } from "../program/types.ts";
import type { WebGpuDevice } from "../webgpu/device.ts";
import type { WebGpuState } from "../webgpu/state.ts";

/** Copies of states on the GPU, to bring them back after runs that must not count. */
export class SavedStates {
  private readonly scope: BufferScope;
  private readonly pairs: readonly { state: WebGpuState; copy: GPUBuffer }[];

  constructor(
    private readonly device: WebGpuDevice,
    states: Iterable<State>,
  ) {
    this.scope = device.gpu.pool.scope();
    this.pairs = [...states].map((state) => {
      const copy = this.scope.allocate(`profile/${state.name}`, storageBytes(state.type), BufferUsage.COPY_SRC | BufferUsage.COPY_DST).buffer;
      return { state: state as WebGpuState, copy };
    });
    this.copyAll(({ state, copy }) => [state.buffer, copy]);
  }

  restore(): void {
    this.copyAll(({ state, copy }) => [copy, state.buffer]);
  }

  [Symbol.dispose](): void {
    this.scope.dispose();
  }

  private copyAll(direction: (pair: { state: WebGpuState; copy: GPUBuffer }) => [from: GPUBuffer, to: GPUBuffer]): void {
    const { device } = this.device.gpu;
    const encoder = device.createCommandEncoder({ label: "profile/states" });
    for (const pair of this.pairs) {
      const [from, to] = direction(pair);
      encoder.copyBufferToBuffer(from, 0, to, 0, storageBytes(pair.state.type));
    }
    device.queue.submit([encoder.finish()]);
  }
}
