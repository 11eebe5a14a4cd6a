import { compile, type Shape, type State, type Tensor, type WebGpuDevice } from "@heddle/kernels";
import type { Work } from "../work.ts";

/** A work on tensors that live on the device already, so that nothing but its kernels is timed. */
export interface KernelWork {
  readonly name: string;
  readonly shape: string;
  readonly flops: number;
  readonly bytes: number;
  /** f32 tensors by name; filled with numbers about 0. */
  readonly tensors: Readonly<Record<string, Shape>>;
  /** Tensors whose names begin alike, with one of these, lie side by side in memory. */
  readonly families?: readonly string[];
  /** i32 tensors: whole numbers in [0, below). */
  readonly ids?: Readonly<Record<string, { readonly shape: Shape; readonly below: number }>>;
  /** Records the program; results are computed, not read back. */
  record(tensors: Readonly<Record<string, State>>): Readonly<Record<string, Tensor>> | void;
}

export function kernelWork({ name, shape, flops, bytes, tensors, families = [], ids = {}, record }: KernelWork): Work {
  return {
    name,
    shape,
    flops,
    bytes,
    replayed: null,
    prepare(device: WebGpuDevice) {
      const states: Record<string, State> = {};
      const specs = Object.entries(tensors).map(([key, extents]) => ({ name: key, type: { dtype: "f32" as const, shape: extents } }));
      const family = (key: string) => families.find((prefix) => key.startsWith(prefix));
      const alone = specs.filter(({ name: key }) => !family(key));
      for (const group of [...alone.map((spec) => [spec]), ...families.map((prefix) => specs.filter((spec) => family(spec.name) === prefix))]) {
        for (const state of device.createStates(group)) {
          state.write(Float32Array.from({ length: sizeOf(state.type.shape) }, (_, i) => ((i * 7919) % 1024) / 1024 - 0.5));
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

const sizeOf = (shape: Shape) => shape.reduce((product, extent) => product * extent, 1);
