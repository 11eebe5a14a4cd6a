/**
 * A counter-based generator: no state, so a backward pass recomputes the forward pass's numbers from the same (counter,
 * key, stream). `counter` counts elements, `key` is the seed of the step, `stream` the op within the step.
 *
 * The hash is pcg3d of Jarzynski & Olano 2020, "Hash Functions for GPU Rendering", Journal of Computer Graphics
 * Techniques 9(3), which passes TestU01's BigCrush as a generator over its inputs' lattice.
 */
export const PCG_MULTIPLIER = 1664525;
export const PCG_INCREMENT = 1013904223;

/** WGSL of `pcg3d(counter: u32, key: u32, stream: u32) -> vec3u`. */
const PCG3D_WGSL = `fn pcg3d(counter: u32, key: u32, stream: u32) -> vec3u {
  var v = vec3u(counter, key, stream) * ${PCG_MULTIPLIER}u + ${PCG_INCREMENT}u;
  v.x += v.y * v.z;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v ^= v >> vec3u(16u);
  v.x += v.y * v.z;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  return v;
}`;

/** WGSL of `randomBits(element: u32, key: u32, stream: u32) -> u32`, as below. */
export const RANDOM_BITS_WGSL = `${PCG3D_WGSL}
fn randomBits(element: u32, key: u32, stream: u32) -> u32 {
  let hash = pcg3d(element >> 2u, key, stream);
  let word = select(hash.x, hash.y, (element & 2u) != 0u);
  return (word >> ((element & 1u) * 16u)) & 0xffffu;
}`;

/** WGSL of `randomBits4(elements: vec4u, key: vec4u, stream: u32) -> vec4u`: `randomBits` of elements 4n to 4n + 3, from one hash. */
export const RANDOM_BITS4_WGSL = `${PCG3D_WGSL}
fn randomBits4(elements: vec4u, key: vec4u, stream: u32) -> vec4u {
  let hash = pcg3d(elements.x >> 2u, key.x, stream);
  return vec4u(hash.x & 0xffffu, hash.x >> 16u, hash.y & 0xffffu, hash.y >> 16u);
}`;

/** pcg3d's first step: one of the three words spread over 32 bits. */
export const spread = (value: number): number => (Math.imul(value, PCG_MULTIPLIER) + PCG_INCREMENT) >>> 0;

/** Three words of 32 uniform bits, a pure function of three numbers of which the low 32 bits count. */
export function pcg3d(a: number, b: number, c: number): readonly [number, number, number] {
  let x = spread(a);
  let y = spread(b);
  let z = spread(c);
  const mix = () => {
    x = (x + Math.imul(y, z)) >>> 0;
    y = (y + Math.imul(z, x)) >>> 0;
    z = (z + Math.imul(x, y)) >>> 0;
  };
  mix();
  x = (x ^ (x >>> 16)) >>> 0;
  y = (y ^ (y >>> 16)) >>> 0;
  z = (z ^ (z >>> 16)) >>> 0;
  mix();
  return [x, y, z];
}

/** 16 uniform bits for an element. Four elements in a row share a hash, of which two words are used: on a CPU hashing costs as much as a small product. All three arguments are u32. */
export function randomBits(element: number, key: number, stream: number): number {
  const word = pcg3d(element >>> 2, key, stream)[(element & 2) >> 1]!;
  return element & 1 ? word >>> 16 : word & 0xffff;
}

/** How dropout decides over an element. */
export interface DropoutRule {
  /** Random bits below this drop it: a whole number below 2¹⁶, ready to be written into WGSL with a `u`. */
  readonly dropBelow: number;
  /** What it is multiplied with where it is kept, so that its expected value stays exactly. */
  readonly keepScale: number;
}

/** @param probability of dropping, in [0, 1), met to 2⁻¹⁶ */
export function dropoutRule(probability: number): DropoutRule {
  const dropBelow = Math.min(2 ** 16 - 1, Math.round(probability * 2 ** 16));
  return { dropBelow, keepScale: 1 / (1 - dropBelow / 2 ** 16) };
}
