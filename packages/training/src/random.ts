const MULTIPLIER = 1664525;
const INCREMENT = 1013904223;

/** What a draw is for, so that two uses of one seed do not share numbers. */
export const randomStream = { dropout: 1, order: 2, batches: 3, tokens: 4 } as const;

/**
 * 32 uniform bits as a pure function of three u32 numbers: no generator state has to be saved to resume a run.
 * pcg3d of Jarzynski & Olano 2020, "Hash Functions for GPU Rendering", Journal of Computer Graphics Techniques 9(3).
 */
export function randomBits(seed: number, stream: number, counter: number): number {
  let x = (Math.imul(seed, MULTIPLIER) + INCREMENT) | 0;
  let y = (Math.imul(stream, MULTIPLIER) + INCREMENT) | 0;
  let z = (Math.imul(counter, MULTIPLIER) + INCREMENT) | 0;
  for (let round = 0; round < 2; round++) {
    x = (x + Math.imul(y, z)) | 0;
    y = (y + Math.imul(z, x)) | 0;
    z = (z + Math.imul(x, y)) | 0;
    if (round === 1) break;
    x ^= x >>> 16;
    y ^= y >>> 16;
    z ^= z >>> 16;
  }
  return z >>> 0;
}

/** A seed of its own for one epoch, one row … of a stream. */
export function deriveSeed(seed: number, stream: number, index: number): number {
  return randomBits(seed, stream, index);
}

/** Shuffles in place (Fisher & Yates), the same way for the same seed. */
export function shuffle<T>(items: T[], seed: number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    // The bias of scaling 32 bits to i + 1 values is below i / 2³².
    const j = Math.floor((randomBits(seed, randomStream.order, i) / 2 ** 32) * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
