/**
 * A uniform number in (0, 1] as a pure function of a seed, a step and a row, by pcg3d of Jarzynski & Olano 2020, "Hash Functions for
 * GPU Rendering", Journal of Computer Graphics Techniques 9(3): a text does not depend on what was generated beside it.
 */
export function uniform(seed: number, step: number, row: number): number {
  let [x, y, z] = [seed, step, row].map((value) => (Math.imul(value, 1664525) + 1013904223) | 0) as [number, number, number];
  const mix = () => {
    x = (x + Math.imul(y, z)) | 0;
    y = (y + Math.imul(z, x)) | 0;
    z = (z + Math.imul(x, y)) | 0;
  };
  mix();
  x ^= x >>> 16;
  y ^= y >>> 16;
  z ^= z >>> 16;
  mix();
  // 24 bits, as many as an f32 near 1 tells apart.
  return ((z >>> 8) + 1) / 2 ** 24;
}
