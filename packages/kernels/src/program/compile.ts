import type { Device, Executable, MemoryPlan, PrepareOptions, RunOptions } from "../device/device.ts";
import type { Program } from "./program.ts";
import { trace, type TracedFunction } from "./trace.ts";
import { dtypeOf, type HostTensor, type TensorType } from "./types.ts";

/** What a compiled function takes: tensors, or numbers for f32 scalars. */
export type RunInputs = Readonly<Record<string, HostTensor | number>>;

/** A function compiled once per combination of input shapes. */
export interface CompiledFunction {
  /** Traces, plans and builds pipelines for each combination of input types, all at once. */
  warmup(inputTypes: readonly Readonly<Record<string, TensorType>>[]): Promise<void>;
  run(inputs: RunInputs, options?: RunOptions): Promise<Record<string, HostTensor>>;
  /** What `run` would run for these inputs, and the inputs as tensors. */
  prepare(inputs: RunInputs): { readonly executable: Executable; readonly tensors: Readonly<Record<string, HostTensor>> };
  /** The traced program for these input types. */
  program(inputTypes: Readonly<Record<string, TensorType>>): Program;
  /** The memory that a run with these input types needs, exactly, before anything is allocated for it. */
  plan(inputTypes: Readonly<Record<string, TensorType>>): MemoryPlan;
  dispose(): void;
  [Symbol.dispose](): void;
}

/**
 * Makes `fn`, plain TypeScript over symbolic tensors, runnable on a device. `fn` is called once per combination of
 * input shapes, never per run; keep the number of shapes small with `roundUpToBucket`.
 *
 * @param name for errors, labels and profiles
 */
export function compile(device: Device, name: string, fn: TracedFunction, options?: PrepareOptions): CompiledFunction {
  const executables = new Map<string, Executable>();
  const measured = new Set<string>();
  const executableFor = (types: Readonly<Record<string, TensorType>>): Executable => {
    const key = keyOf(types);
    let executable = executables.get(key);
    if (!executable) {
      executable = device.prepare(trace(name, types, fn), options);
      executables.set(key, executable);
    }
    return executable;
  };
  /** As `executableFor`, once the device has measured what it wants to know of the program. */
  const measuredFor = async (types: Readonly<Record<string, TensorType>>, signal?: AbortSignal): Promise<Executable> => {
    const key = keyOf(types);
    if (device.measureFor && !measured.has(key)) {
      const unmeasured = executableFor(types);
      await device.measureFor(unmeasured.program, signal);
      // Of calls at the same time the first one makes it anew; nothing has run yet.
      if (!measured.has(key)) {
        measured.add(key);
        unmeasured.dispose();
        executables.set(key, device.prepare(unmeasured.program, options));
      }
    }
    return executableFor(types);
  };
  const withTypes = (inputs: RunInputs) => {
    const tensors: Record<string, HostTensor> = {};
    const types: Record<string, TensorType> = {};
    for (const [name, value] of Object.entries(inputs)) {
      const tensor = typeof value === "number" ? scalar(value) : value;
      tensors[name] = tensor;
      types[name] = { shape: tensor.shape, dtype: dtypeOf(tensor.data) };
    }
    return { types, tensors };
  };
  const dispose = () => {
    for (const executable of executables.values()) executable.dispose();
    executables.clear();
  };
  return {
    async warmup(inputTypes) {
      await Promise.all(inputTypes.map(async (types) => (await measuredFor(types)).warmup()));
    },
    async run(inputs, options) {
      const { types, tensors } = withTypes(inputs);
      const executable = device.measureFor ? await measuredFor(types, options?.signal) : executableFor(types);
      return executable.run(tensors, options);
    },
    prepare(inputs) {
      const { types, tensors } = withTypes(inputs);
      return { executable: executableFor(types), tensors };
    },
    program: (types) => executableFor(types).program,
    plan: (types) => executableFor(types).memory,
    dispose,
    [Symbol.dispose]: dispose,
  };
}

/** The same for the same types, in whatever order they come; made at each run, so cheaply. */
function keyOf(types: Readonly<Record<string, TensorType>>): string {
  let key = "";
  for (const name of Object.keys(types).sort()) key += `${name} ${types[name]!.dtype} ${types[name]!.shape.join()};`;
  return key;
}

/** An f32 scalar input. */
export function scalar(value: number): HostTensor {
  return { shape: [], data: Float32Array.of(value) };
}

/** Host data with its shape. */
export function hostTensor(data: HostTensor["data"], shape: readonly number[] = [data.length]): HostTensor {
  return { shape, data };
}
