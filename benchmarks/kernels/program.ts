import { compile, toFloat16, type Shape, type State, type Tensor, type WebGpuDevice } from "@heddle/kernels";
import type { Work } from "../work.ts";

/** A work on tensors that live on the device already, so that nothing but its kernels is timed. */
export interface KernelWork {
  readonly name: string;
  readonly shape: string;
  readonly flops: number;
  readonly bytes: number;
  /** f32 tensors by name; filled with numbers about 0. */
  readonly tensors: Readonly<Record<string, Shape>>;
  /** Those of them that are stored as f16. */
  readonly half?: readonly string[];
  /** Tensors whose names begin alike, with one of these, lie side by side in memory. */
  readonly families?: readonly string[];
  /** i32 tensors: whole numbers in [0, below). */
  readonly ids?: Readonly<Record<string, { readonly shape: Shape; readonly below: number }>>;
  /** Records the program; results are computed, not read back. */
  record(tensors: Readonly<Record<string, State>>): Readonly<Record<string, Tensor>> | void;
}

export function kernelWork({ name, shape, flops, bytes, tensors, half = [], families = [], ids = {}, record }: KernelWork): Work {
  return {
    name,
    shape,
    flops,
    bytes,
    replayed: null,
    prepare(device: WebGpuDevice) {
      const states: Record<string, State> = {};
      const specs = Object.entries(tensors).map(([key, extents]) => ({ name: key, type: { dtype: half.includes(key) ? ("f16" as const) : ("f32" as const), shape: extents } }));
      const family = (key: string) => families.find((prefix) => key.startsWith(prefix));
      const alone = specs.filter(({ name: key }) => !family(key));
      for (const group of [...alone.map((spec) => [spec]), ...families.map((prefix) => specs.filter((spec) => family(spec.name) === prefix))]) {
        for (const state of device.createStates(group)) {
          state.write(state.type.dtype === "f16" ? repeated(toFloat16(NUMBERS), state.type.shape) : repeated(NUMBERS, state.type.shape));
          states[state.name] = state;
        }
      }
      for (const [key, { shape: extents, below }] of Object.entries(ids)) {
        states[key] = device.createState(key, { dtype: "i32", shape: extents }, Int32Array.from({ length: sizeOf(extents) }, (_, i) => (i * 7919) % below));
      }
      const program = compile(device, `${name} ${shape}`, () => record(states) ?? {});
      return {
        queue: () => program.run({}, { read: false }),
        dispose() {
          program.dispose();
          for (const state of Object.values(states)) state.dispose();
        },
      };
    },
  };
}

/** In [-½, ½), in no order. */
const NUMBERS = Float32Array.from({ length: 1024 }, (_, i) => ((i * 7919) % 1024) / 1024 - 0.5);

/** `pattern` again and again, as far as the shape's elements reach. */
function repeated<T extends Float32Array | Uint16Array>(pattern: T, shape: Shape): T {
  const data = new (pattern.constructor as new (length: number) => T)(sizeOf(shape));
  data.set(pattern.subarray(0, data.length));
  for (let filled = pattern.length; filled < data.length; filled *= 2) data.copyWithin(filled, 0, filled);
  return data;
}

const sizeOf = (shape: Shape) => shape.reduce((product, extent) => product * extent, 1);
