import { pcg3d } from "@heddle/kernels";

/** What a draw is for, so that two uses of one seed do not share numbers. */
export const randomStream = { dropout: 1, order: 2, batches: 3, tokens: 4 } as const;

/** 32 uniform bits as a pure function of three u32 numbers: no generator state has to be saved to resume a run. */
export const randomBits = (seed: number, stream: number, counter: number): number => pcg3d(seed, stream, counter)[2];

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
