import type { State } from "../device/device.ts";
import { arrayOf, dataBytes, sizeOf, type HostTensor, type TensorType } from "../program/types.ts";
import { checkStateData } from "../reference/device.ts";
import type { CpuDevice } from "./device.ts";

/**
 * A state of a CPU device. It stays with the caller's thread until a program replaces it: until then it is a constant of
 * the graphs that read it, and onnxruntime packs it for its multiplications. From then on it lives with the engine and is
 * an input.
 */
export class CpuState implements State {
  disposed = false;
  /** Counts changes made from outside; a graph with an older content as a constant is out of date. */
  version = 0;
  /** Null: zeros, or with the engine. */
  private content: HostTensor["data"] | null = null;
  private engineId: number | null = null;

  constructor(
    readonly device: CpuDevice,
    readonly name: string,
    readonly type: TensorType,
  ) {
    device.account(this.byteLength);
  }

  get byteLength(): number {
    return dataBytes(this.type);
  }

  write(data: HostTensor["data"]): void {
    checkStateData(this, data);
    this.version++;
    if (this.engineId !== null) this.device.queue(this.device.engine.call("writeState", this.engineId, data));
    else this.content = data.slice();
  }

  /** Its content while no program replaces it; null once it lives with the engine. */
  get constant(): HostTensor["data"] | null {
    if (this.engineId !== null) return null;
    this.content ??= arrayOf(this.type.dtype, sizeOf(this.type.shape));
    return this.content;
  }

  /** Moves it to the engine where it is not there yet; its number there. */
  get id(): number {
    if (this.engineId === null) {
      this.engineId = this.device.nextId();
      this.device.queue(this.device.engine.call("createState", this.engineId, this.type.dtype, this.type.shape, this.content));
      this.content = null;
    }
    return this.engineId;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.content = null;
    this.device.account(-this.byteLength);
    if (this.engineId !== null) this.device.queue(this.device.engine.call("releaseState", this.engineId));
  }
}
