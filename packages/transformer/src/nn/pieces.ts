import { concat, type Tensor } from "@heddle/kernels";

/** Some of the first axis at a time, put together again along it: bounds what `part` needs on the way. */
export function inPieces(count: number, most: number, part: (begin: number, end: number) => Tensor): Tensor {
  return concat(
    Array.from({ length: Math.ceil(count / most) }, (_, i) => part(i * most, Math.min(count, (i + 1) * most))),
    0,
  );
}
