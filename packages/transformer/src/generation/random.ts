import { pcg3d } from "@heddle/kernels";

/** A uniform number in (0, 1] as a pure function of a seed, a step and a row: a text does not depend on what was generated beside it. */
export function uniform(seed: number, step: number, row: number): number {
  // 24 bits, as many as an f32 near 1 tells apart.
  return ((pcg3d(seed, step, row)[2] >>> 8) + 1) / 2 ** 24;
}
