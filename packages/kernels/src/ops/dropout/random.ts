/**
 * A counter-based generator: no state, so a backward pass recomputes the forward pass's numbers from the same (counter,
 * key, stream). `counter` is the element, `key` the seed of the step, `stream` the op within the step.
 *
 * The hash is pcg3d of Jarzynski & Olano 2020, "Hash Functions for GPU Rendering", Journal of Computer Graphics
 * Techniques 9(3), which passes TestU01's BigCrush as a generator over its inputs' lattice.
 */
export const PCG_MULTIPLIER = 1664525;
export const PCG_INCREMENT = 1013904223;

function pcg3dWgsl(name: string, type: "u32" | "vec4u", shift: string): string {
  return `fn ${name}(counter: ${type}, key: ${type}, stream: u32) -> ${type} {
  var x = counter * ${PCG_MULTIPLIER}u + ${PCG_INCREMENT}u;
  var y = key * ${PCG_MULTIPLIER}u + ${PCG_INCREMENT}u;
  var z = ${type}(stream * ${PCG_MULTIPLIER}u + ${PCG_INCREMENT}u);
  x += y * z;
  y += z * x;
  z += x * y;
  x ^= x >> ${shift};
  y ^= y >> ${shift};
  z ^= z >> ${shift};
  x += y * z;
  y += z * x;
  z += x * y;
  return x;
}`;
}

/** WGSL of `randomBits(counter: u32, key: u32, stream: u32) -> u32`: 32 uniform bits. */
export const RANDOM_BITS_WGSL = pcg3dWgsl("randomBits", "u32", "16u");

/** WGSL of `randomBits4(counter: vec4u, key: vec4u, stream: u32) -> vec4u`: `randomBits` of four counters. */
export const RANDOM_BITS4_WGSL = pcg3dWgsl("randomBits4", "vec4u", "vec4u(16u)");

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

/** The same 32 bits as the WGSL function `randomBits`. All three arguments are u32. */
export const randomBits = (counter: number, key: number, stream: number): number => pcg3d(counter, key, stream)[0];

/**
 * Bits below this drop an element: `keep = bits >= threshold` keeps it with probability 1 − p, to 2⁻³². A whole number
 * below 2³², ready to be written into WGSL with a `u`.
 *
 * @param probability of dropping, in [0, 1)
 */
export function dropThreshold(probability: number): number {
  return Math.min(2 ** 32 - 1, Math.round(probability * 2 ** 32));
}
