import { checkStatesLiveOn, noInt8 } from "../device/check-program.ts";
import type { Device, Executable, PrepareOptions, RunOptions, State, StateSpec } from "../device/device.ts";
import { hostMemoryBytes } from "../device/environment.ts";
import { HeddleError } from "../errors.ts";
import type { Program } from "../program/program.ts";
import { dataBytes, dtypeOf, formatShape, sizeOf, type HostTensor, type TensorType } from "../program/types.ts";
import { checkInputs } from "../program/check-inputs.ts";
import { fromFloat16, toFloat16 } from "../program/float16.ts";
import { interpret } from "./interpreter.ts";
import type { NdArray, ReferencePrecision } from "./ndarray.ts";
import { referenceContext } from "./ndarray.ts";

const NO_PLAN = { statesBytes: 0, workspaceBytes: 0, uploadBytes: 0, paramsBytes: 0, readbackBytes: 0, peakBytes: 0 };

class ReferenceState implements State {
  disposed = false;
  array: NdArray;

  constructor(
    readonly device: ReferenceDevice,
    readonly name: string,
    readonly type: TensorType,
  ) {
    this.array = device.context.zeros(type.dtype, type.shape);
    device.account(this.byteLength);
  }

  get byteLength(): number {
    return dataBytes(this.type);
  }

  write(data: HostTensor["data"]): void {
    checkStateData(this, data);
    this.array.data.set(data instanceof Uint16Array ? fromFloat16(data) : data);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.device.account(-this.byteLength);
  }
}

/** Throws SHAPE_MISMATCH or DTYPE_MISMATCH where `data` cannot be the content of `state`. */
export function checkStateData(state: State, data: HostTensor["data"]): void {
  const { dtype, shape } = state.type;
  if (state.disposed) throw new HeddleError("DISPOSED", `[state ${state.name}] was disposed`);
  if (dtypeOf(data) !== dtype) throw new HeddleError("DTYPE_MISMATCH", `[state ${state.name}] holds ${dtype}, got ${dtypeOf(data)} data`);
  if (data.length !== sizeOf(shape)) {
    throw new HeddleError("SHAPE_MISMATCH", `[state ${state.name}] has shape ${formatShape(shape)}, ${sizeOf(shape)} elements; got ${data.length}`);
  }
}

/** Programs on the CPU by the reference interpreter: slow and simple, the oracle for the others. */
export class ReferenceDevice implements Device {
  readonly kind = "reference";
  readonly memory = { currentBytes: 0, peakBytes: 0 };
  readonly capacity = { stateBytes: Infinity, totalBytes: hostMemoryBytes() };
  readonly context;

  constructor(readonly precision: ReferencePrecision = "f32") {
    this.context = referenceContext(precision);
  }

  get description(): string {
    return `reference interpreter (${this.precision})`;
  }

  account(bytes: number): void {
    this.memory.currentBytes += bytes;
    this.memory.peakBytes = Math.max(this.memory.peakBytes, this.memory.currentBytes);
  }

  createState(name: string, type: TensorType, data?: HostTensor["data"]): State {
    const state = new ReferenceState(this, name, type);
    if (data) state.write(data);
    return state;
  }

  createStates(specs: readonly StateSpec[]): State[] {
    return specs.map(({ name, type }) => this.createState(name, type));
  }

  async readStates(states: readonly State[]): Promise<HostTensor["data"][]> {
    return states.map((state) => toHost((state as ReferenceState).array).data.slice());
  }

  prepare(program: Program, { int8 }: PrepareOptions = {}): Executable {
    if (int8) throw noInt8(program, this);
    checkStatesLiveOn(program, this);
    const run = async (inputs: Readonly<Record<string, HostTensor>>, { read, signal }: RunOptions = {}) => {
      signal?.throwIfAborted();
      checkInputs(program, inputs);
      const result = interpret(program, inputs, (state) => (state as ReferenceState).array, this.precision);
      for (const [state, value] of result.updates) {
        (state as ReferenceState).array = { ...value, data: value.data.slice() };
      }
      const wanted = read === false ? [] : (read ?? [...program.outputs.keys()]);
      return Object.fromEntries(wanted.map((name) => [name, toHost(result.outputs[name]!)]));
    };
    return { program, memory: NO_PLAN, run, warmup: async () => {}, dispose: () => {} };
  }

  async finish(): Promise<void> {}

  dispose(): void {}
}

function toHost({ dtype, shape, data }: NdArray): HostTensor {
  if (dtype === "f16") return { shape, data: toFloat16(data) };
  return { shape, data: data instanceof Float64Array ? Float32Array.from(data) : data };
}
