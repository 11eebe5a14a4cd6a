import type { Program } from "../program/program.ts";
import type { HostTensor, TensorType } from "../program/types.ts";

/**
 * A tensor that lives on a device between runs: a parameter, an optimizer moment, a cache. Programs read it by
 * naming it inside the traced function and replace it with `assign(state, value)`.
 */
export interface State {
  readonly name: string;
  readonly type: TensorType;
  readonly device: Device;
  readonly disposed: boolean;
  /** Replaces the whole content. Throws SHAPE_MISMATCH or DTYPE_MISMATCH. */
  write(data: HostTensor["data"]): void;
  dispose(): void;
}

/** A state to be made. */
export interface StateSpec {
  readonly name: string;
  readonly type: TensorType;
}

export interface RunOptions {
  /** Which outputs to bring back; all by default. `false`: none, and the promise resolves once the work is queued. */
  read?: readonly string[] | false;
  signal?: AbortSignal;
}

/** One program made ready for one device: a plan whose buffers, pipelines and memory are known before it runs. */
export interface Executable {
  readonly program: Program;
  /** Bytes that a run holds at its peak, known before anything is allocated. 0 on the reference device. */
  readonly memory: MemoryPlan;
  run(inputs: Readonly<Record<string, HostTensor>>, options?: RunOptions): Promise<Record<string, HostTensor>>;
  /** Builds every pipeline now; `run` would build them when first needed. */
  warmup(): Promise<void>;
  dispose(): void;
}

export interface MemoryPlan {
  /** Parameters, moments and caches that the program touches. */
  readonly statesBytes: number;
  /** Activations and scratch memory, after reuse of dead buffers. */
  readonly workspaceBytes: number;
  /** Inputs and scalars, uploaded in one piece. */
  readonly uploadBytes: number;
  /** Kernel parameters. */
  readonly paramsBytes: number;
  /** Outputs, read back in one piece. */
  readonly readbackBytes: number;
  /** The sum: exactly what the pool counts while the program runs alone. */
  readonly peakBytes: number;
}

export interface PrepareOptions {
  /**
   * Compute products with weights that no program replaces in int8, each output channel and each input by a scale of its
   * own: about twice as fast, at a loss to be measured. The `cpu` device only.
   */
  readonly int8?: boolean;
}

/** Where programs run. Every implementation gives the same results, to rounding. */
export interface Device {
  readonly kind: "webgpu" | "cpu" | "reference";
  /** For people: adapter and driver. */
  readonly description: string;
  /** Bytes held now and at most, for states and plans. */
  readonly memory: { readonly currentBytes: number; readonly peakBytes: number };
  /** What it can hold, Infinity where nobody can tell: the largest state, and all states and plans together. */
  readonly capacity: { readonly stateBytes: number; readonly totalBytes: number };
  createState(name: string, type: TensorType, data?: HostTensor["data"]): State;
  /**
   * States that programs use together, such as a model's parameters or an optimizer's moments, zeroed and in the order given.
   * They share memory, so that one kernel reaches many; it is freed when the last of them was disposed of.
   */
  createStates(specs: readonly StateSpec[]): State[];
  /** Reads states in one submission, in the order given. */
  readStates(states: readonly State[]): Promise<HostTensor["data"][]>;
  /**
   * Where the device was opened with `tune: "full"`: measures the kernel designs that `program` could use and that nobody has
   * measured here before. `prepare` uses what was found.
   */
  readonly measureFor?: (program: Program, signal?: AbortSignal) => Promise<void>;
  /** Throws INVALID_ARGUMENT for states of another device, and for int8 where the device has none. */
  prepare(program: Program, options?: PrepareOptions): Executable;
  /** Resolves when all queued work is done. */
  finish(): Promise<void>;
  dispose(): void;
}
