import { checkStatesAlive, outputsToRead } from "../device/check-program.ts";
import type { Executable, MemoryPlan, RunOptions } from "../device/device.ts";
import { HeddleError } from "../errors.ts";
import { checkInputs } from "../program/check-inputs.ts";
import { statesOf, type Program } from "../program/program.ts";
import { dataBytes, dtypeOf, type HostTensor, type TensorType } from "../program/types.ts";
import type { CpuDevice } from "./device.ts";
import type { CpuState } from "./state.ts";

const bytesOf = (types: Iterable<TensorType>) => [...types].reduce((sum, type) => sum + dataBytes(type), 0);

/** A program on onnxruntime: one message with the inputs, one with the outputs. */
export class CpuExecutable implements Executable {
  readonly memory: MemoryPlan;
  private disposed = false;

  constructor(
    private readonly device: CpuDevice,
    readonly program: Program,
    private readonly int8: boolean,
  ) {
    const types = (tensors: ReadonlyMap<unknown, { type: TensorType }>) => [...tensors.values()].map(({ type }) => type);
    const statesBytes = bytesOf(statesOf(program).map(({ type }) => type));
    const [uploadBytes, readbackBytes] = [bytesOf(types(program.inputs)), bytesOf(types(program.outputs))];
    this.memory = { statesBytes, workspaceBytes: 0, uploadBytes, paramsBytes: 0, readbackBytes, peakBytes: statesBytes };
  }

  async warmup(): Promise<void> {
    this.assertUsable();
    await this.device.graphFor(this.program, this.int8).created;
  }

  async run(inputs: Readonly<Record<string, HostTensor>>, { read, signal }: RunOptions = {}): Promise<Record<string, HostTensor>> {
    const { program, device } = this;
    const outputs = outputsToRead(program, read);
    checkInputs(program, inputs);
    signal?.throwIfAborted();
    this.assertUsable();
    if (outputs.length === 0 && program.updates.size === 0) return {};
    const { id, lowering, created } = device.graphFor(program, this.int8);
    const result = device.engine.call("run", {
      session: id,
      inputs: Object.fromEntries([...lowering.inputs].map(([name, inner]) => [inner, { type: dtypeOf(inputs[name]!.data), dims: inputs[name]!.shape, data: inputs[name]!.data }])),
      states: Object.fromEntries([...lowering.stateInputs].map(([state, name]) => [name, (state as CpuState).id])),
      updates: Object.fromEntries([...lowering.stateOutputs].map(([state, { name, overwrites }]) => [name, { state: (state as CpuState).id, overwrites }])),
      outputs: Object.fromEntries(outputs.map((name) => [lowering.outputs.get(name)!, { type: program.outputs.get(name)!.dtype, dims: program.outputs.get(name)!.shape }])),
    });
    const done = Promise.all([created, result]);
    if (outputs.length === 0) {
      device.queue(done);
      await device.throttle();
      return {};
    }
    device.track(done);
    const [, arrays] = await done;
    signal?.throwIfAborted();
    return Object.fromEntries(outputs.map((name) => [name, { shape: program.outputs.get(name)!.shape, data: arrays[lowering.outputs.get(name)!]! }]));
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.device.release(this.program);
  }

  private assertUsable(): void {
    if (this.disposed) throw new HeddleError("DISPOSED", `[${this.program.name}] was disposed; compile it again`);
    checkStatesAlive(this.program);
    this.device.assertUsable();
  }
}
