import type { ParameterSpec } from "./scope.ts";
import { sizeOf } from "@heddle/kernels";

/** The first numbers of a new parameter: a pure function of the seed and the parameter's name. */
export function initialize({ name, shape, initializer }: ParameterSpec, seed: number): Float32Array {
  const data = new Float32Array(sizeOf(shape));
  if (initializer.kind === "zeros") return data;
  if (initializer.kind === "ones") return data.fill(1);
  if (initializer.kind === "constant") return data.fill(initializer.value);
  const next = uniform(hash(name, seed));
  // Box–Muller, two at a time.
  for (let i = 0; i < data.length; i += 2) {
    const radius = initializer.standardDeviation * Math.sqrt(-2 * Math.log(next()));
    const angle = 2 * Math.PI * next();
    data[i] = radius * Math.cos(angle);
    if (i + 1 < data.length) data[i + 1] = radius * Math.sin(angle);
  }
  return data;
}

/** FNV-1a over the name, starting from the seed. */
function hash(name: string, seed: number): number {
  let value = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}

/** Uniform numbers in (0, 1] by the mulberry32 generator. */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) + 1) / 2 ** 32;
  };
}
